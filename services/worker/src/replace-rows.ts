// Puts the rows of a retry in the place of the failed ones: a new part for each shard concerned, then its receipt, then the old
// part goes. Whatever interrupts it, a shard has one receipt that names whole parts; what none names is garbage.
import type { RecordBatch } from 'apache-arrow';
import { failedRows } from '../../../shared/src/failed-rows.ts';
import { openManifestReader } from '../../../shared/src/manifest-reader.ts';
import { readPartFile } from '../../../shared/src/part-reader.ts';
import { doingOf, type ShardReceipt } from '../../../shared/src/receipt.ts';
import { isOk, rowSchema } from '../../../shared/src/row-schema.ts';
import { type RunRecord, readReceipts, requireUnchanged, SUMMARY_FILE, shardRange } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { decodeTensor, featureOfField } from '../../../shared/src/tensor.ts';
import { createFileHashes, type FileHashes, requireUndamaged } from '../../../shared/src/verify-shard.ts';
import { allVersions } from '../../../shared/src/versions.ts';
import { settleSharedFiles } from './compact-run.ts';
import { mergeRows, type RowOfBatch } from './merge-rows.ts';
import { openPart, removeReplaced, replaceReceipts } from './publish.ts';
import { adoptCrash, failureOf, readQuarantine, releaseImage } from './quarantine.ts';

export interface Retry {
  readonly storage: Storage;
  /** Finished: one row for each failed one that the run had as it was planned, in its order. */
  readonly run: RunRecord;
  /** Those that were planned with. */
  readonly codes: ReadonlySet<string>;
}

export interface ReplacedRows {
  readonly shards: number;
  readonly rows: number;
  /** Of these, rows that are ok now. */
  readonly ok: number;
}

export async function replaceRows(storage: Storage, run: RunRecord, retry: Retry): Promise<ReplacedRows> {
  await requireUnchanged(storage, run);
  const places = await placesOf(retry);
  const retried = rowsOfRun(retry);
  try {
    return await replaceFrom(storage, run, retry, { places, retried });
  } finally {
    // Read to the last row that is wanted: the file of that one is still open.
    await retried.return(undefined);
  }
}

interface RetriedRows {
  readonly places: ReadonlyMap<string, number>;
  readonly retried: AsyncGenerator<RetriedRow, undefined>;
}

async function replaceFrom(
  storage: Storage,
  run: RunRecord,
  retry: Retry,
  { places, retried }: RetriedRows,
): Promise<ReplacedRows> {
  const hashes = createFileHashes(storage);
  const total = { shards: 0, rows: 0, ok: 0 };
  for await (const receipt of readReceipts(storage, run)) {
    const rows = await failedRows(storage, receipt, retry.codes);
    const others = new Map<number, RetriedRow>();
    for (const { row, sampleId } of rows) {
      const place = places.get(sampleId);
      // Of a shard that was done since.
      if (place === undefined) continue;
      let next = await retried.next();
      while (next.done !== true && next.value.place < place) next = await retried.next();
      if (next.value?.place !== place)
        throw new Error(`Expected a retried row of '${sampleId}': was the run changed meanwhile?`);
      others.set(row, next.value);
    }
    if (others.size === 0) continue;
    const settled = await settleQuarantine(storage, run, receipt.shard, others, retry);
    total.ok += await replaceInShard(storage, run, receipt, settled, hashes);
    total.shards++;
    total.rows += others.size;
  }
  await settleSharedFiles(storage, run);
  return total;
}

interface RetriedRow extends RowOfBatch {
  /** In the retry. */
  readonly place: number;
  /** Of the shard of the retry that it comes from. */
  readonly receipt: ShardReceipt;
}

/** Where in the retry a sample is: its run may have gained failed rows since, and others may have lost theirs. */
async function placesOf({ storage, run }: Retry): Promise<ReadonlyMap<string, number>> {
  const places = new Map<string, number>();
  for await (const { sampleId } of openManifestReader(storage, run.runId).read(0, run.manifest.rows))
    places.set(sampleId, places.size);
  return places;
}

async function* rowsOfRun({ storage, run }: Retry): AsyncGenerator<RetriedRow, undefined> {
  let place = 0;
  for await (const receipt of readReceipts(storage, run)) {
    const [file] = receipt.files;
    if (file === undefined) throw new Error(`Expected a part in the receipt of shard ${receipt.shard}`);
    for await (const batch of readPartFile(storage.root, file))
      for (let index = 0; index < batch.numRows; index++) yield { batch, index, receipt, place: place++ };
  }
  return undefined;
}

/**
 * Before the rows are replaced: where that does not happen, an image without its folder is only tried again.
 * Returns the rows, those in quarantine with a message that names their folder in the run.
 */
async function settleQuarantine(
  storage: Storage,
  run: RunRecord,
  shard: number,
  others: ReadonlyMap<number, RetriedRow>,
  retry: Retry,
): Promise<ReadonlyMap<number, RetriedRow>> {
  const standing = await readQuarantine(storage, run, shard);
  const settled = new Map<number, RetriedRow>();
  for (const [row, other] of others) {
    settled.set(row, other);
    const code: unknown = other.batch.getChild('error_code')?.get(other.index);
    if (code === null && standing.has(row)) await releaseImage(storage, run, shard, row);
    if (code !== 'crashed-worker') continue;
    const first = shardRange(retry.run, other.receipt.shard).first;
    const record = (await readQuarantine(retry.storage, retry.run, other.receipt.shard)).get(other.place - first);
    if (record === undefined) continue;
    const adopted = await adoptCrash(storage, run, { shard, row }, { ...retry, record });
    settled.set(row, { ...other, message: failureOf(adopted, run).message });
  }
  return settled;
}

/** Returns how many of the rows are ok now. */
async function replaceInShard(
  storage: Storage,
  run: RunRecord,
  before: ShardReceipt,
  others: ReadonlyMap<number, RetriedRow>,
  hashes: FileHashes,
): Promise<number> {
  const schema = rowSchema(run, allVersions([before]));
  const [source] = before.files;
  if (source === undefined) throw new Error(`Expected a part in the receipt of shard ${before.shard}`);
  await requireUndamaged(storage, source, hashes);
  const part = await openPart(storage, run, before.shard, schema);
  const failures: Record<string, number> = {};
  try {
    let first = 0;
    for await (const batch of readPartFile(storage.root, source)) {
      const inBatch = new Map<number, RowOfBatch>();
      for (const [row, other] of others) {
        if (row < first || row >= first + batch.numRows) continue;
        requireSameSample(batch, row - first, other);
        inBatch.set(row - first, other);
      }
      const merged = mergeRows(schema, batch, inBatch);
      const code = merged.getChild('error_code');
      for (let index = 0; index < merged.numRows; index++) {
        const value: unknown = code?.get(index);
        if (typeof value === 'string') failures[value] = (failures[value] ?? 0) + 1;
      }
      await part.write(merged);
      first += batch.numRows;
    }
    const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
    const after: ShardReceipt = {
      ...before,
      ok: before.rows - failed,
      failed,
      failures,
      ...(before.warnings && { warnings: withNotFinite(before.warnings, [...others.values()]) }),
      files: [...(await part.finish())],
      retries: [...(before.retries ?? []), ...retriesOf(others)],
    };
    // Beside rows of the summary that are not so any more, a reader would see old and new.
    await storage.remove(SUMMARY_FILE);
    await replaceReceipts(storage, run, [after], part);
    await removeReplaced(storage, before.files, after.files);
    return after.ok - before.ok;
  } finally {
    await part.abort();
  }
}

/** A run that was changed since the retry was planned would get the rows of other samples. */
function requireSameSample(batch: RecordBatch, index: number, other: RowOfBatch): void {
  const [standing, retried] = [idOf(batch, index), idOf(other.batch, other.index)];
  if (standing === retried) return;
  throw new Error(`Expected the row of '${standing}' but the retry has '${retried}': was the run changed meanwhile?`);
}

function idOf(batch: RecordBatch, index: number): unknown {
  return batch.getChild('sample_id')?.get(index);
}

/** One entry for each shard of the retry that rows came from: who did them, and when. */
function retriesOf(others: ReadonlyMap<number, RetriedRow>): NonNullable<ShardReceipt['retries']> {
  const rows = new Map<ShardReceipt, number[]>();
  for (const [row, { receipt }] of others) rows.set(receipt, [...(rows.get(receipt) ?? []), row]);
  return [...rows].map(([receipt, list]) => ({ rows: list, ...doingOf(receipt) }));
}

function withNotFinite(
  warnings: NonNullable<ShardReceipt['warnings']>,
  rows: readonly RowOfBatch[],
): NonNullable<ShardReceipt['warnings']> {
  let count = 0;
  for (const { batch, index } of rows) {
    if (!isOk(batch, index)) continue;
    for (const [column, field] of batch.schema.fields.entries()) {
      const vector = batch.getChildAt(column);
      if (featureOfField(field) === undefined || vector === null) continue;
      if (!decodeTensor(field, vector.slice(index, index + 1)).data.every(Number.isFinite)) count++;
    }
  }
  return count === 0 ? warnings : { ...warnings, 'not-finite': (warnings['not-finite'] ?? 0) + count };
}
