// Reads one shard: samples of the manifest as decoded batches, a few batches ahead of the inference.
import type { InputBatch } from '../../../extractor/src/input-batch.ts';
import { canonicalJson } from '../../../shared/src/fingerprint.ts';
import type { Sample } from '../../../shared/src/manifest.ts';
import type { ManifestReader } from '../../../shared/src/manifest-reader.ts';
import { modelsOf } from '../../../shared/src/request.ts';
import { type RunRecord, shardRange } from '../../../shared/src/run.ts';
import type { BatchBuffers, BatchInput } from './batch-buffers.ts';
import type { DecodedSample, DecodePool } from './decode-pool.ts';
import { type CrashRecord, failureOf } from './quarantine.ts';
import type { Row } from './serialize.ts';
import { checkSourceFolder } from './source-folder.ts';

export interface DecodedBatch {
  readonly rows: readonly Row[];
  /**
   * For each model, of shape [rows, height, width, channels]: models of one recipe share theirs. The slot of a failed sample
   * holds zeros: levels of a black image, or values. Good until the next batch is asked for.
   */
  readonly inputs: readonly InputBatch[];
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
  /** No batch is handed over before the shard's next ones have been decoded as well: see `Split`. @default false */
  readonly takeTurns?: boolean;
  /** Images that nobody may look at, by their positions in the shard. @default none */
  readonly quarantined?: ReadonlyMap<number, CrashRecord>;
  /** Positions in the shard of the rows wanted, ascending. @default all */
  readonly only?: readonly number[];
}

/** Batches whose images are posted to the decode threads while earlier ones are inferred. */
const BATCHES_AHEAD = 2;
/** With the one that is inferred. */
export const BATCHES_IN_WORK = BATCHES_AHEAD + 1;
/** Of the time that decoding takes: where reading takes more, the processor would have nothing to do while a disk is waited for. */
const QUICK_READING = 0.1;
/** Seconds of a batch: where decoding takes longer, progress should be seen before three batches are decoded. */
const QUICK_DECODING = 10;

/** Starts at once: a shard that waits for its turn has its first batches decoded when the turn comes. */
export function readShard(options: ReadShardOptions): AsyncGenerator<DecodedBatch> {
  const { takeTurns = false } = options;
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
      const { decoded, inputs } = next.value;
      const batch = await decoded;
      if (takeTurns && isQuick(batch)) await settled(ahead);
      try {
        yield batch;
      } finally {
        for (const input of new Set(inputs)) input.giveBack();
      }
    }
  })();
}

function isQuick({ seconds: { read, decode } }: DecodedBatch): boolean {
  return decode < QUICK_DECODING && read < QUICK_READING * decode;
}

/** Whoever takes them hears what became of them. */
async function settled(batches: readonly Promise<IteratorResult<PostedBatch>>[]): Promise<void> {
  await Promise.allSettled(
    batches.map(async posted => {
      const next = await posted;
      if (next.done !== true) await next.value.decoded;
    }),
  );
}

interface PostedBatch {
  readonly decoded: Promise<DecodedBatch>;
  /** Of each model: models of one recipe have the same. */
  readonly inputs: readonly BatchInput[];
}

/** A sample, and what is known of it if nobody may look at its image. */
interface WantedSample extends Sample {
  readonly crash: CrashRecord | undefined;
}

async function* wantedSamples(options: ReadShardOptions): AsyncGenerator<WantedSample> {
  const { run, manifest, quarantined, only } = options;
  const wanted = only && new Set(only);
  const { first, rows } = shardRange(run, options.shard);
  let row = 0;
  for await (const sample of manifest.read(first, rows)) {
    if (wanted?.has(row) ?? true) yield { ...sample, crash: quarantined?.get(row) };
    row++;
  }
}

async function* postBatches(options: ReadShardOptions): AsyncGenerator<PostedBatch> {
  const { run, signal } = options;
  let samples: WantedSample[] = [];
  for await (const sample of wantedSamples(options)) {
    signal.throwIfAborted();
    samples.push(sample);
    if (samples.length === run.request.batch) {
      yield post(samples, options);
      samples = [];
    }
  }
  if (samples.length > 0) yield post(samples, options);
}

function post(samples: readonly WantedSample[], { run, pool, buffers }: ReadShardOptions): PostedBatch {
  if (pool === undefined) return { decoded: Promise.resolve(undecodedBatch(samples, run)), inputs: [] };
  const inputs = takeInputs(run, samples.length, buffers);
  const decoded = decodeBatch(samples, run, pool, inputs);
  decoded.catch(() => undefined);
  return { decoded, inputs };
}

function takeInputs(run: RunRecord, rows: number, buffers: BatchBuffers): readonly BatchInput[] {
  const taken = new Map<string, BatchInput>();
  return modelsOf(run.request).map(({ recipe }) => {
    const key = canonicalJson(recipe);
    const input = taken.get(key) ?? buffers.take(recipe, rows);
    taken.set(key, input);
    return input;
  });
}

async function decodeBatch(
  samples: readonly WantedSample[],
  run: RunRecord,
  pool: DecodePool,
  inputs: readonly BatchInput[],
): Promise<DecodedBatch> {
  const different = [...new Set(inputs)];
  const decoded = await Promise.all(
    samples.map(({ uri, crash }, row) =>
      crash === undefined
        ? pool.prepare({ uri, inputs: different.map(input => input.slotOf(row)) })
        : undecodedSample(crash, run),
    ),
  );
  const lost = samples.filter((_, slot) => isNotFound(decoded[slot]));
  // A published row says for ever that the image is gone: a machine that sees none of the source may not say so.
  for (const { uri } of lost) await checkSourceFolder(run.source, uri);
  decoded.forEach(({ result }, row) => {
    if (!result.ok) for (const input of different) input.slotOf(row).into.fill(0);
  });
  return {
    rows: samples.map((sample, slot) => rowOf(sample, decoded[slot])),
    inputs: inputs.map(({ batch }) => batch),
    seconds: {
      read: decoded.reduce((sum, { seconds }) => sum + seconds.read, 0),
      decode: decoded.reduce((sum, { seconds }) => sum + seconds.decode, 0),
    },
  };
}

function isNotFound(decoded: DecodedSample | undefined): boolean {
  return decoded?.result.ok === false && decoded.result.failure.code === 'not-found';
}

function undecodedSample(crash: CrashRecord, run: RunRecord): DecodedSample {
  const { sha256 } = crash;
  return { sha256, result: { ok: false, failure: failureOf(crash, run) }, seconds: { read: 0, decode: 0 } };
}

function rowOf(sample: Sample, decoded: DecodedSample | undefined): Row {
  if (decoded === undefined) throw new Error(`Expected a decoded image for sample '${sample.sampleId}'`);
  const { sha256, result } = decoded;
  if (!result.ok) return { sample, sha256, size: null, failure: result.failure };
  return { sample, sha256, size: result.size, failure: undefined };
}

function undecodedBatch(samples: readonly Sample[], run: RunRecord): DecodedBatch {
  return {
    rows: samples.map(sample => ({ sample, sha256: null, size: null, failure: undefined })),
    inputs: modelsOf(run.request).map(() => ({
      dtype: 'float32',
      shape: [samples.length, 0],
      data: new Float32Array(0),
    })),
    seconds: { read: 0, decode: 0 },
  };
}
