// What can be said of one shard: from its receipt alone, from the sizes of its parts, from every byte, from every value.
import { join } from 'node:path';
import type { Schema } from 'apache-arrow';
import type { ReportDamage } from './damage.ts';
import { describeError, Refusal } from './errors.ts';
import type { ManifestReader } from './manifest-reader.ts';
import { readPartFile, readPartSchema } from './part-reader.ts';
import type { PartFile, ShardReceipt } from './receipt.ts';
import { formatsOf } from './request.ts';
import { rowSchema } from './row-schema.ts';
import { type RunRecord, receiptPath, shardRange } from './run.ts';
import { sha256Of } from './sha256.ts';
import type { Storage } from './storage.ts';
import { featureOfField, layoutKeyOf } from './tensor.ts';
import { openValueCheck, type ValueCheck } from './value-check.ts';

export interface ShardCheck {
  readonly storage: Storage;
  readonly run: RunRecord;
  readonly shard: number;
  readonly receipt: ShardReceipt;
  readonly report: ReportDamage;
}

export interface WholeShardCheck extends ShardCheck {
  readonly hashes: FileHashes;
  readonly manifest: ManifestReader;
  /** Looks at every value too, not only at ids and statuses. */
  readonly deep: boolean;
}

/** Reads nothing but the receipt. */
export function checkReceipt({ run, shard, receipt, report }: ShardCheck): void {
  const path = receiptPath(run, shard);
  const range = shardRange(run, shard);
  if (receipt.shard !== shard)
    report('receipt-foreign', path, `the receipt of shard ${shard} is that of shard ${receipt.shard}`);
  if (receipt.fingerprint !== run.fingerprint)
    report('receipt-foreign', path, `the receipt of shard ${shard} belongs to another request`);
  if (receipt.rows !== range.rows || receipt.ok + receipt.failed !== receipt.rows) {
    report(
      'receipt-counts',
      path,
      `the receipt of shard ${shard} counts ${receipt.ok} ok and ${receipt.failed} failed of ${range.rows} rows`,
    );
  }
  const formats = receipt.files.map(file => file.format);
  for (const format of formatsOf(run.request.format)) {
    if (!formats.includes(format))
      report('receipt-counts', path, `the receipt of shard ${shard} names no ${format} part`);
  }
}

/** The receipt, and that its parts are there with the bytes that it says: cheap, however many they are. */
export async function checkSizes(check: ShardCheck): Promise<void> {
  checkReceipt(check);
  for (const file of check.receipt.files) await checkSize(check, file);
}

/** The receipt, every byte of its parts, and each row against the manifest. Returns the vectors with a value that is not finite. */
export async function checkWhole(check: WholeShardCheck): Promise<number> {
  checkReceipt(check);
  let notFinite = 0;
  for (const file of check.receipt.files) notFinite = Math.max(notFinite, await checkPart(check, file));
  return notFinite;
}

async function checkSize({ storage, report }: ShardCheck, file: PartFile): Promise<boolean> {
  const bytes = await storage.size(file.path);
  if (bytes === undefined) report('part-missing', file.path, `${file.path} is missing`);
  else if (bytes !== file.bytes)
    report('part-damaged', file.path, `${file.path} has ${bytes} bytes, its receipt says ${file.bytes}`);
  return bytes !== undefined;
}

async function checkPart(check: WholeShardCheck, file: PartFile): Promise<number> {
  const { storage, report } = check;
  try {
    if (!(await checkSize(check, file))) return 0;
    if ((await check.hashes.of(file)) !== file.sha256) {
      report('part-damaged', file.path, `${file.path} is damaged: its sha256 is not that of its receipt`);
      return 0;
    }
    const schema = await readPartSchema(join(storage.root, file.path), file.format);
    if (describeSchema(schema) !== describeSchema(rowSchema(check.run))) {
      report('part-columns', file.path, `${file.path} has other columns, or another fingerprint, than run.json says`);
      // What is not there cannot be compared.
      return (await checkRows({ ...check, deep: false }, file)) ?? 0;
    }
    return await checkRows(check, file);
  } catch (error) {
    report('part-damaged', file.path, `${file.path} cannot be read: ${describeError(error)}`);
    return 0;
  }
}

/** SHA-256 of files, of one that several shards share only once. */
export interface FileHashes {
  of(file: PartFile): Promise<string>;
}

export function createFileHashes(storage: Storage): FileHashes {
  /** By format: neighbouring shards share one file of each. */
  const last = new Map<PartFile['format'], { readonly path: string; readonly sha256: string }>();
  return {
    async of({ path, format, range }): Promise<string> {
      const known = last.get(format);
      if (known?.path === path) return known.sha256;
      const sha256 = await sha256Of(storage.stream(path));
      if (range !== undefined) last.set(format, { path, sha256 });
      return sha256;
    },
  };
}

/** Refuses a part whose bytes are not those that its receipt tells of: copied, its rows would look whole. */
export async function requireUndamaged(storage: Storage, file: PartFile, hashes: FileHashes): Promise<void> {
  const missing = (await storage.size(file.path)) === undefined;
  if (!missing && (await hashes.of(file)) === file.sha256) return;
  const problem = missing ? 'is missing' : 'is damaged: its sha256 is not that of its receipt';
  throw new Refusal('run-unreadable', `Expected a whole part in '${storage.root}/${file.path}' but it ${problem}`, {
    hint: `First: npx layertap resume ${storage.root} --verify`,
  });
}

/** What two parts of one run have in common: columns, types, tensor shapes, fingerprint. */
function describeSchema(schema: Schema): string {
  const columns = schema.fields.map(field => [
    field.name,
    String(field.type),
    featureOfField(field)?.shape,
    layoutKeyOf(field),
  ]);
  return JSON.stringify([schema.metadata.get('layertap.fingerprint'), ...columns]);
}

/** Row by row: the part's sample ids are those of the manifest, in its order, and the statuses add up. */
async function checkRows(
  { storage, run, shard, receipt, manifest, report, deep }: WholeShardCheck,
  file: PartFile,
): Promise<number> {
  const range = shardRange(run, shard);
  const expected = manifest.read(range.first, range.rows);
  const values: ValueCheck | undefined = deep ? openValueCheck(run, receipt) : undefined;
  let rows = 0;
  let ok = 0;
  for await (const batch of readPartFile(storage.root, file, deep ? undefined : ['sample_id', 'status'])) {
    const ids = batch.getChild('sample_id');
    const status = batch.getChild('status');
    const columns = values?.open(batch);
    for (let index = 0; index < batch.numRows; index++, rows++) {
      const sample = await expected.next();
      if (sample.done === true || ids?.get(index) !== sample.value.sampleId) {
        const wanted = sample.done === true ? 'nothing' : sample.value.sampleId;
        report(
          'part-rows',
          file.path,
          `${file.path} row ${rows} is '${ids?.get(index)}' where the manifest has '${wanted}'`,
        );
        return values?.notFinite ?? 0;
      }
      if (status?.get(index) === 'ok') ok++;
      const problem = columns?.row(index, sample.value);
      if (problem !== undefined) {
        report('part-values', file.path, `${file.path} row ${rows} ('${sample.value.sampleId}') ${problem}`);
        return values?.notFinite ?? 0;
      }
    }
  }
  if (rows !== range.rows || rows !== file.rows || ok !== receipt.ok) {
    report(
      'part-rows',
      file.path,
      `${file.path} holds ${rows} rows, ${ok} of them ok; expected ${range.rows} and ${receipt.ok}`,
    );
  }
  const problem = values?.finish();
  if (problem !== undefined) report('part-values', file.path, `${file.path} ${problem}`);
  return values?.notFinite ?? 0;
}
