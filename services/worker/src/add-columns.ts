// Puts the columns of added layers into the parts of a run, shard by shard: a new part with all columns, then its receipt, then
// the old part goes. run.json comes first and says that this goes on: whoever finds it so, ends it.
import { join } from 'node:path';
import { type Data, type Field, makeData, RecordBatch, type Schema, Struct } from 'apache-arrow';
import { Refusal } from '../../../shared/src/errors.ts';
import { failedRows } from '../../../shared/src/failed-rows.ts';
import { readPartFile } from '../../../shared/src/part-reader.ts';
import type { ShardReceipt } from '../../../shared/src/receipt.ts';
import { rowSchema } from '../../../shared/src/row-schema.ts';
import {
  doneShards,
  encodeJson,
  findRun,
  RUN_FILE,
  type RunRecord,
  readReceipt,
  readReceipts,
  receiptPath,
  SUMMARY_FILE,
} from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { featureOfField, sizeOfShape, validityBitmap } from '../../../shared/src/tensor.ts';
import { createFileHashes, type FileHashes, requireUndamaged } from '../../../shared/src/verify-shard.ts';
import { mergeVersions } from '../../../shared/src/versions.ts';
import { openPart, replaceReceipts } from './publish.ts';

export interface AddedLayers {
  /** Finished: the same rows, with the new columns alone. */
  readonly run: RunRecord;
  readonly storage: Storage;
  /** What run.json becomes: with all columns, and `adding`. */
  readonly extended: RunRecord;
}

/**
 * Adds the columns to every shard. Returns the run with them. A shard whose part is damaged loses its receipt: done again, it has
 * all columns.
 * @throws Refusal `run-incomplete` where an image that has features has none in the new columns; nothing was changed then
 */
export async function addColumns(storage: Storage, run: RunRecord, layers: AddedLayers): Promise<RunRecord> {
  await requireSameRows(storage, run, layers);
  await storage.remove(SUMMARY_FILE);
  await storage.replace(RUN_FILE, encodeJson(layers.extended));
  return endAdding(storage, layers.extended);
}

/** Ends what `addColumns` began, whatever interrupted it; returns the run as it is then. */
export async function endAdding(storage: Storage, run: RunRecord): Promise<RunRecord> {
  const { adding, ...ended } = run;
  if (adding === undefined) return run;
  const own = openFileStorage(join(storage.root, adding.folder));
  const columns = await findRun(own);
  const hashes = { old: createFileHashes(storage), added: createFileHashes(own) };
  for (const shard of await doneShards(storage, run)) {
    const receipt = await readReceipt(storage, run, shard);
    if (receipt === undefined || receipt.fingerprint !== adding.fingerprint) continue;
    const added = columns && (await readReceipt(own, columns, shard));
    // Without its folder: `resume` does the shard again.
    if (added === undefined) continue;
    try {
      await addToShard(storage, ended, receipt, { storage: own, receipt: added }, hashes);
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== 'run-unreadable') throw error;
      await storage.remove(receiptPath(run, shard));
    }
  }
  await storage.replace(RUN_FILE, encodeJson(ended));
  await storage.removeFolder(adding.folder);
  return ended;
}

/** An image may have become unreadable since: its old values would stand beside none. */
async function requireSameRows(storage: Storage, run: RunRecord, added: AddedLayers): Promise<void> {
  const lost: string[] = [];
  for await (const receipt of readReceipts(added.storage, added.run)) {
    if (receipt.failed === 0) continue;
    const standing = await readReceipt(storage, run, receipt.shard);
    const failed = new Set((standing ? await failedRows(storage, standing, new Set()) : []).map(({ row }) => row));
    for (const { row, sampleId } of await failedRows(added.storage, receipt, new Set()))
      if (!failed.has(row)) lost.push(sampleId);
  }
  if (lost.length === 0) return;
  const [shown, more] = [lost.slice(0, 3).join("', '"), lost.length > 3 ? `' and ${lost.length - 3} more` : `'`];
  const folder = added.storage.root;
  throw new Refusal(
    'run-incomplete',
    `Expected features of every image that has some in '${storage.root}' but '${shown}${more} failed this time; nothing was changed`,
    {
      hint: `Mend them (npx layertap explain ${folder} SAMPLE tells the cause), then: npx layertap retry-failed ${folder}, and the same command again.`,
    },
  );
}

async function addToShard(
  storage: Storage,
  run: RunRecord,
  before: ShardReceipt,
  added: { readonly storage: Storage; readonly receipt: ShardReceipt },
  hashes: { readonly old: FileHashes; readonly added: FileHashes },
): Promise<void> {
  const [source] = before.files;
  const [extra] = added.receipt.files;
  if (source === undefined || extra === undefined)
    throw new Error(`Expected a part in the receipts of shard ${before.shard}`);
  await requireUndamaged(storage, source, hashes.old);
  await requireUndamaged(added.storage, extra, hashes.added);
  const { finishedAt, worker, versions, cpu } = added.receipt;
  const schema = rowSchema(run, mergeVersions([before.versions, versions]));
  const part = await openPart(storage, run, before.shard, schema);
  const batches = readPartFile(added.storage.root, extra);
  try {
    const rows = openRowReader(batches);
    const names = new Set<string>();
    let notFinite = 0;
    for await (const batch of readPartFile(storage.root, source)) {
      const merged = withColumns(schema, batch, await rows.take(batch.numRows));
      for (const name of merged.added) names.add(name);
      notFinite += merged.notFinite;
      await part.write(merged.batch);
    }
    const after: ShardReceipt = {
      ...before,
      fingerprint: run.fingerprint,
      warnings: sumOf(before.warnings, { ...added.receipt.warnings, 'not-finite': notFinite }),
      files: [...(await part.finish())],
      added: [...(before.added ?? []), { columns: [...names], finishedAt, worker, versions, cpu }],
    };
    await replaceReceipts(storage, run, [after], part);
    const kept = new Set(after.files.map(({ path }) => path));
    // Of a shared file, other shards may still have their rows; the end of the run removes it.
    for (const { path, range } of before.files) if (range === undefined && !kept.has(path)) await storage.remove(path);
  } finally {
    // Read to the last row, but not to its end: the file is still open.
    await batches.return(undefined);
    await part.abort();
  }
}

/** Some rows of a batch: [first, first + rows). */
interface Piece {
  readonly batch: RecordBatch;
  readonly first: number;
  readonly rows: number;
}

/** Takes rows in order, however they are cut into batches. */
function openRowReader(batches: AsyncGenerator<RecordBatch>): { take(rows: number): Promise<readonly Piece[]> } {
  let batch: RecordBatch | undefined;
  let first = 0;
  return {
    async take(wanted): Promise<readonly Piece[]> {
      const pieces: Piece[] = [];
      for (let left = wanted; left > 0; ) {
        if (batch === undefined || first === batch.numRows) {
          const next = await batches.next();
          if (next.done === true) throw new Error(`Expected ${left} more rows with the new columns`);
          batch = next.value;
          first = 0;
        }
        const rows = Math.min(left, batch.numRows - first);
        if (rows > 0) pieces.push({ batch, first, rows });
        first += rows;
        left -= rows;
      }
      return pieces;
    },
  };
}

interface Merged {
  readonly batch: RecordBatch;
  readonly added: readonly string[];
  /** Vectors of the new columns with a value that is NaN or infinite. */
  readonly notFinite: number;
}

/** The standing columns as they lie, and those that only the pieces have. A row that failed gets none, whatever the pieces say. */
function withColumns(schema: Schema, batch: RecordBatch, pieces: readonly Piece[]): Merged {
  requireSameSamples(batch, pieces);
  const status = batch.getChild('status');
  const present = Array.from({ length: batch.numRows }, (_, row) => status?.get(row) === 'ok');
  const added: string[] = [];
  let notFinite = 0;
  const children = schema.fields.map((field): Data => {
    const standing = batch.getChild(field.name)?.data[0];
    if (standing !== undefined) return standing;
    added.push(field.name);
    const column = columnOf(field, pieces, present);
    notFinite += column.notFinite;
    return column.data;
  });
  const data = makeData({ type: new Struct(schema.fields), length: batch.numRows, nullCount: 0, children });
  return { batch: new RecordBatch(schema, data), added, notFinite };
}

/** The values are copied as they lie, float16 too. */
function columnOf(
  field: Field,
  pieces: readonly Piece[],
  present: readonly boolean[],
): { readonly data: Data; readonly notFinite: number } {
  const feature = featureOfField(field);
  if (feature === undefined) throw new Error(`Expected a feature in the new column '${field.name}'`);
  const size = sizeOfShape(feature.shape);
  const half = feature.dtype === 'float16';
  const values = half ? new Uint16Array(present.length * size) : new Float32Array(present.length * size);
  let notFinite = 0;
  let row = 0;
  for (const { batch, first, rows } of pieces) {
    const data = batch.getChild(field.name)?.data[0];
    const from: unknown = data?.children[0]?.values;
    if (!(from instanceof (half ? Uint16Array : Float32Array)))
      throw new Error(`Expected ${feature.dtype} in the new column '${field.name}'`);
    for (let index = first; index < first + rows; index++, row++) {
      if (present[row] !== true) continue;
      const vector = from.subarray(index * size, (index + 1) * size);
      values.set(vector, row * size);
      if (!vector.every(half ? isFiniteHalf : Number.isFinite)) notFinite++;
    }
  }
  const type = field.type as never;
  const child = makeData({
    type: field.type.children[0].type as never,
    length: values.length,
    nullCount: 0,
    data: values as never,
  });
  const nullCount = present.filter(there => !there).length;
  const bitmap = nullCount === 0 ? {} : { nullBitmap: validityBitmap(present) };
  return { data: makeData({ type, length: present.length, nullCount, ...bitmap, child } as never), notFinite };
}

/** All bits of the exponent stand for infinity and NaN. */
function isFiniteHalf(bits: number): boolean {
  return (bits & 0x7c00) !== 0x7c00;
}

function requireSameSamples(batch: RecordBatch, pieces: readonly Piece[]): void {
  const ids = batch.getChild('sample_id');
  let row = 0;
  for (const { batch: other, first, rows } of pieces) {
    const others = other.getChild('sample_id');
    for (let index = first; index < first + rows; index++, row++) {
      if (ids?.get(row) === others?.get(index)) continue;
      throw new Error(`Expected the row of '${ids?.get(row)}' but the new columns have '${others?.get(index)}'`);
    }
  }
}

function sumOf(
  a: ShardReceipt['warnings'],
  b: NonNullable<ShardReceipt['warnings']>,
): NonNullable<ShardReceipt['warnings']> {
  const sum: Record<string, number> = { ...a };
  for (const [code, count] of Object.entries(b)) if (count > 0) sum[code] = (sum[code] ?? 0) + count;
  return sum;
}
