// Verification: proves that every sample of the manifest is exactly one row of exactly one whole part.
import { createHash } from 'node:crypto';
import { compiledOf } from './compiled-file.ts';
import { compiledPath } from './compiled-record.ts';
import type { Damage } from './damage.ts';
import { describeError } from './errors.ts';
import { fingerprintOf } from './fingerprint.ts';
import { MANIFEST_FILE_ROWS, manifestFolder, manifestPath } from './manifest.ts';
import { openManifestReader } from './manifest-reader.ts';
import { RUN_FILE, type RunRecord, readReceipt, receiptPath, shardName } from './run.ts';
import { sha256Of } from './sha256.ts';
import { createSharedFiles } from './shared-files.ts';
import type { Storage } from './storage.ts';
import { checkWhole, createFileHashes } from './verify-shard.ts';

export interface Verification {
  readonly rows: number;
  readonly ok: number;
  readonly failed: number;
  /** Feature vectors with a value that is NaN or infinite; only where every value was looked at. */
  readonly notFinite?: number;
  readonly damages: readonly Damage[];
}

export interface VerifyOptions {
  /** Looks at every value: features exactly where a row is ok, uri and carried columns as in the manifest. @default false */
  readonly deep?: boolean;
  readonly onShard?: (shard: number) => void;
}

/** Reads every part whole. A clean run has no damages. */
export async function verifyRun(
  storage: Storage,
  run: RunRecord,
  { deep = false, onShard }: VerifyOptions = {},
): Promise<Verification> {
  const damages: Damage[] = [...(await verifyRecord(storage, run)), ...(await verifyCompiled(storage, run))];
  const manifest = openManifestReader(storage, run.runId);
  const hashes = createFileHashes(storage);
  const named = new Set<string>();
  const shared = createSharedFiles();
  const totals = { rows: 0, ok: 0, failed: 0 };
  let notFinite = 0;
  for (let shard = 0; shard < run.shards; shard++) {
    const path = receiptPath(run, shard);
    const receipt = await readReceipt(storage, run, shard).catch((error: unknown) => {
      damages.push({ code: 'receipt-damaged', shard, file: path, message: describeError(error) });
      return null;
    });
    if (receipt === undefined) {
      const message = `shard ${shardName(run, shard)} has no receipt: it is not done`;
      damages.push({ code: 'receipt-missing', shard, file: path, message });
    }
    if (!receipt) continue;
    for (const file of receipt.files) named.add(file.path);
    shared.add(receipt);
    const report = (code: Damage['code'], file: string, message: string): void =>
      void damages.push({ code, shard, file, message });
    notFinite += await checkWhole({ storage, run, shard, receipt, manifest, hashes, deep, report });
    totals.rows += receipt.rows;
    totals.ok += receipt.ok;
    totals.failed += receipt.failed;
    onShard?.(shard);
  }
  for (const { path, unnamedRows } of shared.incomplete()) {
    const message = `${path} holds ${unnamedRows} rows that no receipt names: \`npx layertap resume\` mends it`;
    damages.push({ code: 'part-shared', shard: undefined, file: path, message });
  }
  for await (const path of storage.list('parts')) {
    if (named.has(path)) continue;
    const message = `${path} is named by no receipt: \`npx layertap resume\` removes it`;
    damages.push({ code: 'part-unnamed', shard: undefined, file: path, message });
  }
  return { ...totals, ...(deep && { notFinite }), damages };
}

/** run.json against its own fingerprint, and the manifest against run.json. */
export async function verifyRecord(storage: Storage, run: RunRecord): Promise<readonly Damage[]> {
  const damages: Damage[] = [];
  const report = (code: Damage['code'], file: string, message: string): void =>
    void damages.push({ code, shard: undefined, file, message });
  if (fingerprintOf(run.request) !== run.fingerprint) {
    report('record-changed', RUN_FILE, 'run.json was changed: its request does not hash to its fingerprint');
  }
  const digest = createHash('sha256');
  for (let row = 0; row < run.manifest.rows; row += MANIFEST_FILE_ROWS) {
    const path = manifestPath(run.runId, row);
    const bytes = await storage.read(path);
    if (bytes === undefined) report('manifest-missing', path, `${path} is missing`);
    else digest.update(createHash('sha256').update(bytes).digest());
  }
  if (digest.digest('hex') !== run.manifest.digest) {
    const message = 'the manifest was changed: its digest is not that of run.json';
    report('manifest-changed', manifestFolder(run.runId), message);
  }
  return damages;
}

/** Where a file is missing, workers compile the model: no damage. */
async function verifyCompiled(storage: Storage, run: RunRecord): Promise<readonly Damage[]> {
  const damages: Damage[] = [];
  for (const record of compiledOf(run)) {
    const file = compiledPath(record);
    if ((await storage.size(file)) === undefined || (await sha256Of(storage.stream(file))) === record.sha256) continue;
    const message = `${file} is damaged: no worker uses it; \`npx layertap resume\` writes it again`;
    damages.push({ code: 'compiled-damaged', shard: undefined, file, message });
  }
  return damages;
}
