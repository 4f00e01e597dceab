// How far the features of two runs are apart, column by column. One shard of each run is in memory at a time.
import type { RecordBatch } from 'apache-arrow';
import { compareFeatures } from '../../../extractor/src/feature-distance.ts';
import { readPartFile } from '../../../shared/src/part-reader.ts';
import { isOk } from '../../../shared/src/row-schema.ts';
import { type RunRecord, readReceipt, readReceipts, shardRange } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { decodeTensor, sizeOfShape } from '../../../shared/src/tensor.ts';
import { matchRows } from './match-rows.ts';
import { createMedian } from './median.ts';

export interface OpenedRun {
  readonly storage: Storage;
  readonly run: RunRecord;
}

export interface ColumnDistance {
  readonly column: string;
  /** Samples that have a feature in both. */
  readonly rows: number;
  /** Of these, equal to the last bit. */
  readonly identical: number;
  readonly leastCosine: number;
  readonly medianCosine: number;
  readonly maxAbsDifference: number;
  /** Where the cosine is least, and where the difference is largest. */
  readonly leastAt: string | undefined;
  readonly largestAt: string | undefined;
}

export interface FeatureComparison {
  /** Samples in both runs whose shards are done in both. */
  readonly rows: number;
  /** Samples that only one of them has, or has done. */
  readonly onlyInOne: number;
  readonly onlyInOther: number;
  /** Samples that are ok in one and failed in the other. */
  readonly otherStatus: number;
  readonly columns: readonly ColumnDistance[];
  /** Columns that only one of them has, or has in another shape. */
  readonly unmatched: readonly string[];
}

/** One row of a shard in memory. */
interface HeldRow {
  readonly shard: HeldShard;
  readonly batch: number;
  readonly index: number;
}

export async function compareRuns(one: OpenedRun, other: OpenedRun): Promise<FeatureComparison> {
  const columns = commonColumns(one.run, other.run);
  const tallies = columns.map(createTally);
  const match = await matchRows(one, other);
  let rows = 0;
  let otherStatus = 0;
  let left = 0;
  let held: HeldShard | undefined;
  for await (const receipt of readReceipts(one.storage, one.run)) {
    const { first } = shardRange(one.run, receipt.shard);
    const mine = await holdShard(one, receipt.shard);
    if (mine === undefined) continue;
    left += receipt.rows;
    // In the order of the other run, so that each of its shards is read once.
    for (const { row, otherRow } of await match.rowsOf(first, receipt.rows)) {
      const shard = Math.floor(otherRow / other.run.shardSize);
      if (held?.shard !== shard) held = await holdShard(other, shard);
      const a = mine.row(row - first);
      const b = held?.row(otherRow - shard * other.run.shardSize);
      if (a === undefined || b === undefined) continue;
      rows++;
      if (statusOf(a) !== statusOf(b)) otherStatus++;
      for (const tally of tallies) tally.add(a, b);
    }
  }
  let right = 0;
  for await (const receipt of readReceipts(other.storage, other.run)) right += receipt.rows;
  const names = new Set([...one.run.columns, ...other.run.columns].map(({ name }) => name));
  return {
    rows,
    onlyInOne: left - rows,
    onlyInOther: right - rows,
    otherStatus,
    columns: tallies.map(tally => tally.finish()),
    unmatched: [...names].filter(name => !columns.includes(name)),
  };
}

function commonColumns(one: RunRecord, other: RunRecord): readonly string[] {
  const shapes = new Map(other.columns.map(({ name, shape }) => [name, String(shape)]));
  return one.columns.filter(({ name, shape }) => shapes.get(name) === String(shape)).map(({ name }) => name);
}

interface Tally {
  add(a: HeldRow, b: HeldRow): void;
  finish(): ColumnDistance;
}

function createTally(column: string): Tally {
  const cosines = createMedian();
  const tally = { rows: 0, identical: 0, leastCosine: 1, maxAbsDifference: 0 };
  let leastAt: string | undefined;
  let largestAt: string | undefined;
  return {
    add(a, b): void {
      const [mine, others] = [a.shard.feature(a, column), b.shard.feature(b, column)];
      if (mine === undefined || others === undefined) return;
      tally.rows++;
      const identical = isIdentical(mine, others);
      if (identical) tally.identical++;
      // Compared to itself, a vector of NaN would be as far away as can be.
      const { cosine, maxAbsDifference } = identical ? SAME : compareFeatures(mine, others);
      cosines.add(cosine);
      if (cosine < tally.leastCosine) {
        tally.leastCosine = cosine;
        leastAt = idOf(a);
      }
      if (maxAbsDifference > tally.maxAbsDifference) {
        tally.maxAbsDifference = maxAbsDifference;
        largestAt = idOf(a);
      }
    },
    finish: () => ({ column, ...tally, medianCosine: cosines.value(), leastAt, largestAt }),
  };
}

const SAME = { cosine: 1, maxAbsDifference: 0 };

function isIdentical(a: Float32Array, b: Float32Array): boolean {
  const bytes = (values: Float32Array): Buffer => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return bytes(a).equals(bytes(b));
}

interface HeldShard {
  readonly shard: number;
  row(row: number): HeldRow | undefined;
  value(row: HeldRow, column: string): unknown;
  /** Undefined where the row has none. */
  feature(row: HeldRow, column: string): Float32Array | undefined;
}

/** Undefined where the shard is not done. */
async function holdShard({ storage, run }: OpenedRun, shard: number): Promise<HeldShard | undefined> {
  const [file] = (await readReceipt(storage, run, shard))?.files ?? [];
  if (file === undefined) return undefined;
  const batches: RecordBatch[] = [];
  for await (const batch of readPartFile(storage.root, file)) batches.push(batch);
  const decoded = new Map<string, DecodedColumn>();
  const held: HeldShard = {
    shard,
    row(row): HeldRow | undefined {
      let index = row;
      for (const [batch, { numRows }] of batches.entries()) {
        if (index < numRows) return { shard: held, batch, index };
        index -= numRows;
      }
      return undefined;
    },
    value: ({ batch, index }, column) => batches[batch]?.getChild(column)?.get(index),
    feature({ batch, index }, column): Float32Array | undefined {
      const key = `${batch} ${column}`;
      const source = batches[batch];
      if (source === undefined || !isOk(source, index)) return undefined;
      const feature = decoded.get(key) ?? decodeColumn(source, column);
      decoded.set(key, feature);
      return feature.values.subarray(index * feature.size, (index + 1) * feature.size);
    },
  };
  return held;
}

interface DecodedColumn {
  readonly values: Float32Array;
  readonly size: number;
}

function decodeColumn(batch: RecordBatch, column: string): DecodedColumn {
  const vector = batch.getChild(column);
  const field = batch.schema.fields.find(({ name }) => name === column);
  if (vector === null || field === undefined) throw new Error(`Expected a column '${column}'`);
  const { data, shape } = decodeTensor(field, vector);
  return { values: data, size: sizeOfShape(shape.slice(1)) };
}

function statusOf(row: HeldRow): unknown {
  return row.shard.value(row, 'status');
}

function idOf(row: HeldRow): string {
  return String(row.shard.value(row, 'sample_id'));
}
