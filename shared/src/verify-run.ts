// Verification: proves that every sample of the manifest is exactly one row of exactly one whole part.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Schema } from 'apache-arrow';
import { describeError } from './errors.ts';
import { fingerprintOf } from './fingerprint.ts';
import { MANIFEST_FILE_ROWS, manifestPath } from './manifest.ts';
import { type ManifestReader, openManifestReader } from './manifest-reader.ts';
import { readPart, readPartSchema } from './part-reader.ts';
import type { PartFile, ShardReceipt } from './receipt.ts';
import { formatsOf } from './request.ts';
import { rowSchema } from './row-schema.ts';
import { type RunRecord, readReceipt, shardName, shardRange } from './run.ts';
import type { Storage } from './storage.ts';
import { featureOfField } from './tensor.ts';

/** One thing that is wrong, in words that name the file. */
export interface Damage {
  /** Undefined where it concerns the whole run. */
  readonly shard: number | undefined;
  readonly message: string;
}

export interface Verification {
  readonly rows: number;
  readonly ok: number;
  readonly failed: number;
  readonly damages: readonly Damage[];
}

/** Reads every part whole. A clean run has no damages. */
export async function verifyRun(
  storage: Storage,
  run: RunRecord,
  onShard?: (shard: number) => void,
): Promise<Verification> {
  const damages: Damage[] = await verifyRecord(storage, run);
  const manifest = openManifestReader(storage, run.runId);
  const named = new Set<string>();
  const totals = { rows: 0, ok: 0, failed: 0 };
  for (let shard = 0; shard < run.shards; shard++) {
    const report = (message: string): void => void damages.push({ shard, message });
    const receipt = await readReceipt(storage, run, shard).catch((error: unknown) => {
      report(describeError(error));
      return undefined;
    });
    if (receipt === undefined) {
      report(`shard ${shardName(run, shard)} has no receipt: it is not done`);
      continue;
    }
    for (const file of receipt.files) named.add(file.path);
    await verifyShard({ storage, run, shard, receipt, manifest, report });
    totals.rows += receipt.rows;
    totals.ok += receipt.ok;
    totals.failed += receipt.failed;
    onShard?.(shard);
  }
  for await (const path of storage.list('parts')) {
    if (!named.has(path))
      damages.push({ shard: undefined, message: `${path} is named by no receipt: \`npx layertap resume\` removes it` });
  }
  return { ...totals, damages };
}

async function verifyRecord(storage: Storage, run: RunRecord): Promise<Damage[]> {
  const damages: Damage[] = [];
  if (fingerprintOf(run.request) !== run.fingerprint) {
    damages.push({ shard: undefined, message: 'run.json was changed: its request does not hash to its fingerprint' });
  }
  const digest = createHash('sha256');
  for (let row = 0; row < run.manifest.rows; row += MANIFEST_FILE_ROWS) {
    const bytes = await storage.read(manifestPath(run.runId, row));
    if (bytes === undefined) damages.push({ shard: undefined, message: `${manifestPath(run.runId, row)} is missing` });
    else digest.update(createHash('sha256').update(bytes).digest());
  }
  if (digest.digest('hex') !== run.manifest.digest) {
    damages.push({ shard: undefined, message: 'the manifest was changed: its digest is not that of run.json' });
  }
  return damages;
}

interface ShardCheck {
  readonly storage: Storage;
  readonly run: RunRecord;
  readonly shard: number;
  readonly receipt: ShardReceipt;
  readonly manifest: ManifestReader;
  readonly report: (message: string) => void;
}

async function verifyShard(check: ShardCheck): Promise<void> {
  const { run, shard, receipt, report } = check;
  const range = shardRange(run, shard);
  if (receipt.shard !== shard) report(`the receipt of shard ${shard} is that of shard ${receipt.shard}`);
  if (receipt.fingerprint !== run.fingerprint) report(`the receipt of shard ${shard} belongs to another request`);
  if (receipt.rows !== range.rows || receipt.ok + receipt.failed !== receipt.rows) {
    report(`the receipt of shard ${shard} counts ${receipt.ok} ok and ${receipt.failed} failed of ${range.rows} rows`);
  }
  const formats = receipt.files.map(file => file.format);
  for (const format of formatsOf(run.request.format)) {
    if (!formats.includes(format)) report(`the receipt of shard ${shard} names no ${format} part`);
  }
  for (const file of receipt.files) await verifyPart(check, file);
}

async function verifyPart(check: ShardCheck, file: PartFile): Promise<void> {
  const { storage, report } = check;
  try {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of storage.stream(file.path)) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    if (bytes !== file.bytes) report(`${file.path} has ${bytes} bytes, its receipt says ${file.bytes}`);
    if (hash.digest('hex') !== file.sha256) {
      report(`${file.path} is damaged: its sha256 is not that of its receipt`);
      return;
    }
    const schema = await readPartSchema(join(storage.root, file.path), file.format);
    if (describeSchema(schema) !== describeSchema(rowSchema(check.run)))
      report(`${file.path} has other columns, or another fingerprint, than run.json says`);
    await verifyRows(check, file);
  } catch (error) {
    report(`${file.path} cannot be read: ${describeError(error)}`);
  }
}

/** What two parts of one run have in common: columns, types, tensor shapes, fingerprint. */
function describeSchema(schema: Schema): string {
  const columns = schema.fields.map(field => [field.name, String(field.type), featureOfField(field)?.shape]);
  return JSON.stringify([schema.metadata.get('layertap.fingerprint'), ...columns]);
}

/** Row by row: the part's sample ids are those of the manifest, in its order, and the statuses add up. */
async function verifyRows(
  { storage, run, shard, receipt, manifest, report }: ShardCheck,
  file: PartFile,
): Promise<void> {
  const range = shardRange(run, shard);
  const expected = manifest.read(range.first, range.rows);
  let rows = 0;
  let ok = 0;
  for await (const batch of readPart(join(storage.root, file.path), file.format, ['sample_id', 'status'])) {
    const ids = batch.getChild('sample_id');
    const status = batch.getChild('status');
    for (let index = 0; index < batch.numRows; index++, rows++) {
      const sample = await expected.next();
      if (sample.done === true || ids?.get(index) !== sample.value.sampleId) {
        report(
          `${file.path} row ${rows} is '${ids?.get(index)}' where the manifest has '${sample.done === true ? 'nothing' : sample.value.sampleId}'`,
        );
        return;
      }
      if (status?.get(index) === 'ok') ok++;
    }
  }
  if (rows !== range.rows || rows !== file.rows || ok !== receipt.ok) {
    report(`${file.path} holds ${rows} rows, ${ok} of them ok; expected ${range.rows} and ${receipt.ok}`);
  }
}
