// One shard from top to bottom: decoded batches → infer and pool → serialize → publish (part, then receipt).
import { columnValues, planRequestColumns } from '../../../extractor/src/columns.ts';
import type { Extractor, TakeOutputs } from '../../../extractor/src/engine.ts';
import type { InputBatch } from '../../../extractor/src/input-batch.ts';
import { noSeconds, type ShardReceipt, type Stage } from '../../../shared/src/receipt.ts';
import { readsImages } from '../../../shared/src/request.ts';
import { rowSchema } from '../../../shared/src/row-schema.ts';
import { type RunRecord, readReceipt, requireStanding, shardRange } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';
import { cpuName } from '../../../shared/src/versions.ts';
import { openPart, publishReceipt } from './publish.ts';
import { type ColumnWarnings, openRangeCheck, totalWarnings } from './range-check.ts';
import type { DecodedBatch } from './read.ts';
import { encodeRows } from './serialize.ts';

export interface ShardWork {
  readonly run: RunRecord;
  readonly shard: number;
  readonly attempt: number;
  readonly batches: AsyncIterable<DecodedBatch>;
  /** One for each model of the request. */
  readonly extractors: readonly Extractor[];
  readonly storage: Storage;
  readonly worker: ShardReceipt['worker'];
  readonly versions: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** What the range check found in the features of a whole shard, if anything. */
  readonly onWarnings?: (warnings: readonly ColumnWarnings[]) => void;
  /** After each batch, with the counts of that batch. */
  readonly onBatch: (rows: number, failed: number, seconds: Readonly<Record<string, number>>) => void;
}

/** Returns the receipt that stands, which is another worker's when that one was first. */
export async function processShard(work: ShardWork): Promise<ShardReceipt> {
  const { run, extractors, storage, signal } = work;
  const schema = rowSchema(run, work.versions);
  const rangeCheck = openRangeCheck(run.columns);
  const seconds = noSeconds();
  const pools = planRequestColumns(
    run.request,
    extractors.map(({ outputs }) => outputs.map(({ shape }) => shape)),
  ).map(
    (columns): TakeOutputs =>
      outputs => {
        const begun = performance.now();
        const features = columns.map(column => columnValues(column, outputs));
        seconds.pool += (performance.now() - begun) / 1000;
        return features;
      },
  );
  const failures: Record<string, number> = {};
  const started = performance.now();
  let rows = 0;

  await requireStanding(storage);
  const part = await openPart(storage, run, work.shard, schema);
  try {
    for await (const batch of work.batches) {
      signal.throwIfAborted();
      const before = { ...seconds };
      seconds.read += batch.seconds.read;
      seconds.decode += batch.seconds.decode;
      const features = await timed(seconds, 'infer', () => inferBatch(extractors, batch, pools));
      seconds.infer -= seconds.pool - before.pool;
      const present = batch.rows.map(({ failure }) => failure === undefined);
      if (readsImages(run.request)) rangeCheck.add(batch.inputs[0] as InputBatch, features, present);
      await timed(seconds, 'serialize', () => part.write(encodeRows(schema, run.columns, batch.rows, features)));
      for (const { failure } of batch.rows)
        if (failure !== undefined) failures[failure.code] = (failures[failure.code] ?? 0) + 1;
      rows += batch.rows.length;
      work.onBatch(batch.rows.length, countFailed(batch), difference(seconds, before));
    }
    signal.throwIfAborted();
    const expected = shardRange(run, work.shard).rows;
    if (rows !== expected) throw new Error(`Expected ${expected} rows in shard ${work.shard} but received ${rows}`);
    await requireStanding(storage);
    // Where another worker was first, its run may be finished: no part may appear in it any more.
    const standing = await readReceipt(storage, run, work.shard);
    if (standing !== undefined) return standing;
    const warnings = rangeCheck.finish();
    if (warnings.length > 0) work.onWarnings?.(warnings);
    const files = await timed(seconds, 'publish', () => part.finish());
    const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
    const receipt: ShardReceipt = {
      version: 1,
      shard: work.shard,
      fingerprint: run.fingerprint,
      rows,
      ok: rows - failed,
      failed,
      failures,
      warnings: totalWarnings(warnings),
      files: [...files],
      seconds,
      totalSeconds: (performance.now() - started) / 1000,
      attempt: work.attempt,
      worker: work.worker,
      versions: { ...work.versions },
      cpu: cpuName(),
      finishedAt: new Date().toISOString(),
    };
    return await publishReceipt(storage, run, receipt, part);
  } finally {
    await part.abort();
  }
}

/**
 * What each model's `take` makes of its outputs, one model after the other. A batch without one readable image has nothing to
 * infer: its rows are null whatever the values.
 */
export async function inferBatch(
  extractors: readonly Extractor[],
  batch: DecodedBatch,
  takes: readonly TakeOutputs[] = [],
): Promise<readonly TensorData[]> {
  const rows = batch.rows.length;
  const nothingToInfer = countFailed(batch) === rows;
  const features: TensorData[] = [];
  for (const [model, extractor] of extractors.entries()) {
    const take = takes[model] ?? (outputs => outputs);
    if (nothingToInfer) features.push(...take(extractor.outputs.map(({ shape }) => zeros([rows, ...shape]))));
    else features.push(...(await extractor.run(batch.inputs[model] as InputBatch, take)));
  }
  return features;
}

function zeros(shape: readonly number[]): TensorData {
  return { dtype: 'float32', shape, data: new Float32Array(sizeOfShape(shape)) };
}

function countFailed(batch: DecodedBatch): number {
  return batch.rows.filter(({ failure }) => failure !== undefined).length;
}

async function timed<T>(seconds: Record<Stage, number>, stage: Stage, action: () => T | Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await action();
  seconds[stage] += (performance.now() - started) / 1000;
  return result;
}

function difference(now: Record<Stage, number>, before: Record<Stage, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(now).map(([stage, value]) => [stage, value - before[stage as Stage]]));
}
