// Reads one shard: samples of the manifest as decoded batches, a few batches ahead of the inference.

import type { Sample } from '../../../shared/src/manifest.ts';
import type { ManifestReader } from '../../../shared/src/manifest-reader.ts';
import { shapeOfRecipe } from '../../../shared/src/recipe-shape.ts';
import { type RunRecord, shardRange } from '../../../shared/src/run.ts';
import { sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';
import type { BatchBuffers, SharedValues } from './batch-buffers.ts';
import type { DecodedSample, DecodePool } from './decode-pool.ts';
import type { Row } from './serialize.ts';
import { checkSourceFolder } from './source-folder.ts';

export interface DecodedBatch {
  readonly rows: readonly Row[];
  /** Shape [rows, height, width, channels]; the slot of a failed sample holds zeros. Good until the next batch is asked for. */
  readonly input: TensorData;
  /** Summed over the images of the batch: decoding runs on several threads. */
  readonly seconds: { readonly read: number; readonly decode: number };
}

export interface ReadShardOptions {
  readonly run: RunRecord;
  readonly shard: number;
  readonly manifest: ManifestReader;
  /** Undefined for the null engine, which looks at no image. */
  readonly pool: DecodePool | undefined;
  readonly buffers: BatchBuffers;
  readonly signal: AbortSignal;
}

/** Batches whose images are posted to the decode threads while earlier ones are inferred. */
const BATCHES_AHEAD = 2;

/** Starts at once: a shard that waits for its turn has its first batches decoded when the turn comes. */
export function readShard(options: ReadShardOptions): AsyncGenerator<DecodedBatch> {
  const posted = postBatches(options);
  const ahead: Promise<IteratorResult<PostedBatch>>[] = [];
  const fill = (): void => {
    while (ahead.length < BATCHES_AHEAD) {
      const next = posted.next();
      // Thrown to the consumer when it gets there.
      next.catch(() => undefined);
      ahead.push(next);
    }
  };
  fill();
  return (async function* (): AsyncGenerator<DecodedBatch> {
    for (;;) {
      const next = await ahead.shift();
      if (next === undefined || next.done === true) return;
      fill();
      const batch = await next.value.decoded;
      try {
        yield batch;
      } finally {
        const { data } = batch.input;
        if (data.buffer instanceof SharedArrayBuffer) options.buffers.giveBack(data as SharedValues);
      }
    }
  })();
}

interface PostedBatch {
  readonly decoded: Promise<DecodedBatch>;
}

async function* postBatches(options: ReadShardOptions): AsyncGenerator<PostedBatch> {
  const { run, manifest, signal } = options;
  const { first, rows } = shardRange(run, options.shard);
  let samples: Sample[] = [];
  for await (const sample of manifest.read(first, rows)) {
    signal.throwIfAborted();
    samples.push(sample);
    if (samples.length === run.request.batch) {
      yield post(samples, options);
      samples = [];
    }
  }
  if (samples.length > 0) yield post(samples, options);
}

function post(samples: readonly Sample[], { run, pool, buffers }: ReadShardOptions): PostedBatch {
  const decoded =
    pool === undefined ? Promise.resolve(undecodedBatch(samples)) : decodeBatch(samples, run, pool, buffers);
  decoded.catch(() => undefined);
  return { decoded };
}

async function decodeBatch(
  samples: readonly Sample[],
  run: RunRecord,
  pool: DecodePool,
  buffers: BatchBuffers,
): Promise<DecodedBatch> {
  const { recipe } = run.request;
  const shape = shapeOfRecipe(recipe);
  const size = sizeOfShape(shape);
  const data = buffers.take(samples.length * size);
  const slots = samples.map((_, slot) => data.subarray(slot * size, (slot + 1) * size));
  const decoded = await Promise.all(
    samples.map(({ uri }, slot) => pool.prepare({ uri, recipe, into: slots[slot] as SharedValues })),
  );
  const lost = samples.filter((_, slot) => isNotFound(decoded[slot]));
  // A published row says for ever that the image is gone: a machine that sees none of the source may not say so.
  for (const { uri } of lost) await checkSourceFolder(run.source, uri);
  decoded.forEach(({ result }, slot) => {
    if (!result.ok) slots[slot]?.fill(0);
  });
  return {
    rows: samples.map((sample, slot) => rowOf(sample, decoded[slot])),
    input: { dtype: 'float32', shape: [samples.length, ...shape], data },
    seconds: {
      read: decoded.reduce((sum, { seconds }) => sum + seconds.read, 0),
      decode: decoded.reduce((sum, { seconds }) => sum + seconds.decode, 0),
    },
  };
}

function isNotFound(decoded: DecodedSample | undefined): boolean {
  return decoded?.result.ok === false && decoded.result.failure.code === 'not-found';
}

function rowOf(sample: Sample, decoded: DecodedSample | undefined): Row {
  if (decoded === undefined) throw new Error(`Expected a decoded image for sample '${sample.sampleId}'`);
  const { sha256, result } = decoded;
  if (!result.ok) return { sample, sha256, size: null, failure: result.failure };
  return { sample, sha256, size: result.size, failure: undefined };
}

function undecodedBatch(samples: readonly Sample[]): DecodedBatch {
  return {
    rows: samples.map(sample => ({ sample, sha256: null, size: null, failure: undefined })),
    input: { dtype: 'float32', shape: [samples.length, 0], data: new Float32Array(0) },
    seconds: { read: 0, decode: 0 },
  };
}
