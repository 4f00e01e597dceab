// The receipt: a small JSON file published after a shard's part; it alone means that the shard is done.
import { z } from 'zod';

/** Seconds that a shard spent in each stage; stages overlap, so they do not add up to `total`. */
export const STAGES = ['read', 'decode', 'infer', 'pool', 'serialize', 'publish'] as const;
export type Stage = (typeof STAGES)[number];
export type StageSeconds = Readonly<Record<Stage, number>>;

export const PartFile = z.strictObject({
  /** Relative to the run directory. */
  path: z.string(),
  format: z.enum(['parquet', 'arrow']),
  sha256: z.string(),
  bytes: z.int(),
  /** Of this shard. */
  rows: z.int(),
  /** Where the file holds the rows of other shards too: this one's are [first, first + rows) of so many. */
  range: z.strictObject({ first: z.int().min(0), of: z.int().min(1) }).optional(),
});
export type PartFile = z.output<typeof PartFile>;

const Worker = z.object({
  host: z.string(),
  name: z.string(),
  pid: z.int(),
  /** Largest resident memory of the engine process so far; receipts of old have none. */
  peakBytes: z.int().optional(),
});

/** Who did something to a shard, when and with what. */
const Doing = z.strictObject({
  finishedAt: z.string(),
  worker: Worker,
  versions: z.record(z.string(), z.string()),
  cpu: z.string(),
});
export type Doing = z.output<typeof Doing>;

const Retry = Doing.extend({ rows: z.array(z.int()) });
const AddedColumns = Doing.extend({ columns: z.array(z.string()) });

export const ShardReceipt = z.strictObject({
  version: z.literal(1),
  shard: z.int(),
  fingerprint: z.string(),
  rows: z.int(),
  ok: z.int(),
  failed: z.int(),
  /** Failed rows per error code. */
  failures: z.record(z.string(), z.int()),
  /** Feature vectors in which the range check found something, per warning code; receipts of old have none. */
  warnings: z.record(z.string(), z.int()).optional(),
  files: z.array(PartFile),
  seconds: z.object({
    read: z.number(),
    decode: z.number(),
    infer: z.number(),
    pool: z.number(),
    serialize: z.number(),
    publish: z.number(),
  }),
  /** From the first byte read to the part published. */
  totalSeconds: z.number(),
  attempt: z.int(),
  /** Which worker did it. */
  worker: Worker,
  versions: z.record(z.string(), z.string()),
  cpu: z.string(),
  finishedAt: z.string(),
  /** Rows (positions in the shard) that were done again since, and by whom; the other fields but the counts tell of the first time. */
  retries: z.array(Retry).optional(),
  /** Columns that came later, by `add-layer`, and by whom; the other fields tell of the first ones. */
  added: z.array(AddedColumns).optional(),
});
export type ShardReceipt = z.output<typeof ShardReceipt>;

/** Adds counts per code, of failures or warnings, to a sum of them. */
export function addCounts(sum: Record<string, number>, counts: Readonly<Record<string, number>> = {}): void {
  for (const [code, count] of Object.entries(counts)) if (count > 0) sum[code] = (sum[code] ?? 0) + count;
}

/** Of the receipt of a shard that was done for the sake of another one's. */
export function doingOf({ finishedAt, worker, versions, cpu }: ShardReceipt): Doing {
  return { finishedAt, worker, versions, cpu };
}

export function noSeconds(): Record<Stage, number> {
  return { read: 0, decode: 0, infer: 0, pool: 0, serialize: 0, publish: 0 };
}
