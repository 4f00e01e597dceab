// The process of stage-costs.ts: decode, inference and serialization, each alone, one after another, on one thread.
import { createHash } from 'node:crypto';
import { openEngine } from '../extractor/src/engine.ts';
import { prepareInputs } from '../extractor/src/preprocess/prepare-image.ts';
import { runInPieces, viewRows } from '../extractor/src/rows.ts';
import { planRun } from '../services/producer/src/plan.ts';
import { type BatchInput, openBatchBuffers } from '../services/worker/src/batch-buffers.ts';
import { processShard } from '../services/worker/src/process-shard.ts';
import type { DecodedBatch } from '../services/worker/src/read.ts';
import { openFileReader } from '../services/worker/src/read-image-file.ts';
import { extractOptions } from '../shared/src/extract-options.ts';
import type { Sample } from '../shared/src/manifest.ts';
import { openManifestReader } from '../shared/src/manifest-reader.ts';
import { parseOptions } from '../shared/src/options.ts';
import { shapeOfRecipe } from '../shared/src/recipe-shape.ts';
import { shardRange } from '../shared/src/run.ts';
import type { TensorData } from '../shared/src/tensor.ts';

/** Different batches that are held ready and taken in turn. */
const READY_BATCHES = 4;

const [source = '', ...argv] = process.argv.slice(2);
const { values } = parseOptions(extractOptions, { argv, env: {}, command: 'stage-costs' });
const { run, storage } = await planRun({ ...values, source });
const { recipe, batch } = run.request;
const shape = shapeOfRecipe(recipe);

const samples: Sample[] = [];
for await (const sample of openManifestReader(storage, run.runId).read(0, run.manifest.rows)) samples.push(sample);

const buffers = openBatchBuffers();
const inputs = Array.from({ length: READY_BATCHES }, () => buffers.take(recipe, batch));
const readImageFile = openFileReader();
async function decodeOne({ uri }: Sample, index: number): Promise<void> {
  const file = await readImageFile(uri, Number.POSITIVE_INFINITY);
  if (!file.ok) throw new Error(`Expected a readable file but ${uri}: ${file.failure.message}`);
  createHash('sha256').update(file.bytes).digest('hex');
  const place = index % (READY_BATCHES * batch);
  const input = inputs[Math.floor(place / batch)] as BatchInput;
  const result = await prepareInputs(file.bytes, [input.slotOf(place % batch)]);
  if (!result.ok) throw new Error(`Expected a readable image but ${uri}: ${result.failure.message}`);
}

// What runs for the first time is compiled meanwhile: each stage is warmed by what then isn't counted.
for (const [index, sample] of samples.slice(0, READY_BATCHES * batch).entries()) await decodeOne(sample, index);
const decode = await cpuSeconds(async () => {
  for (const [index, sample] of samples.entries()) await decodeOne(sample, index);
});

const engine = await openEngine(run.request.engine, { threads: 1 });
const { model, layers, modelSha256 } = run.request;
const extractor = await engine.load({ model, layers, inputShape: shape, modelSha256 });
await extractor.warmUp(batch);
const batches = Math.ceil(samples.length / batch);
/** The outputs of as many rows as the engine takes at a time. */
let piece: readonly TensorData[] = [];
const infer = await cpuSeconds(async () => {
  for (let index = 0; index < batches; index++) {
    await extractor.run((inputs[index % READY_BATCHES] as BatchInput).batch, outputs => {
      piece = outputs;
      return [];
    });
  }
});

if (run.shards < 2) throw new Error('Expected more images than one batch: the first shard only warms up');
await serializeShard(0);
const serialize = await cpuSeconds(async () => {
  for (let shard = 1; shard < run.shards; shard++) await serializeShard(shard);
});
await extractor.close();
const perImage = (seconds: number, images: number): number => seconds / images;
process.stdout.write(
  `${JSON.stringify({
    decode: perImage(decode, samples.length),
    infer: perImage(infer, batches * batch),
    serialize: perImage(serialize, samples.length - shardRange(run, 0).rows),
  })}\n`,
);

function serializeShard(shard: number): Promise<unknown> {
  return processShard({
    run,
    shard,
    attempt: 1,
    batches: readyBatches(shard),
    extractors: [
      {
        ...extractor,
        run: (input, take = outputs => outputs) =>
          runInPieces(input, piece[0]?.shape[0] ?? 1, async ({ shape: [rows = 0] }) =>
            take(piece.map(output => viewRows(output, 0, rows))),
          ),
      },
    ],
    storage,
    worker: { host: 'bench', name: 'stage-costs', pid: process.pid },
    versions: engine.versions(),
    signal: new AbortController().signal,
    onBatch: () => undefined,
  });
}

async function* readyBatches(shard: number): AsyncGenerator<DecodedBatch> {
  const { first, rows } = shardRange(run, shard);
  for (let from = first; from < first + rows; from += batch) {
    const chosen = samples.slice(from, Math.min(from + batch, first + rows));
    const input = inputs[Math.floor(from / batch) % READY_BATCHES] as BatchInput;
    yield {
      rows: chosen.map(sample => ({
        sample,
        sha256: '0'.repeat(64),
        size: { width: 1, height: 1 },
        failure: undefined,
      })),
      inputs: [viewRows(input.batch, 0, chosen.length)],
      seconds: { read: 0, decode: 0 },
    };
  }
}

/** Of all threads of this process, collector and compiler of JavaScript included. */
async function cpuSeconds(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
