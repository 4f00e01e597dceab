// One thread of decode-pool.ts: a file's path in, its digest and its input values out.
import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { workerData } from 'node:worker_threads';
import { prepareImage } from '../../../extractor/src/preprocess/prepare-image.ts';
import type { ImageLimits } from '../../../extractor/src/preprocess.ts';
import type { DecodedSample, DecodeTask } from './decode-pool.ts';
import { readImageFile } from './read-image-file.ts';
import { serveTasks } from './thread-server.ts';

const limits = workerData as ImageLimits;

serveTasks<DecodeTask, DecodedSample>({
  handle: prepareFile,
  transfer: ({ result }) => (result.ok ? [result.image.values.buffer] : []),
  // One being resized here, one being decoded by libvips in its own thread, one being read.
  concurrency: 3,
});

async function prepareFile({ uri, recipe }: DecodeTask): Promise<DecodedSample> {
  const started = performance.now();
  const file = await readImageFile(uri, limits.maxBytes);
  const sha256 = file.ok ? createHash('sha256').update(file.bytes).digest('hex') : null;
  const read = performance.now();
  const result = file.ok ? await prepareImage(file.bytes, recipe, limits) : file;
  const decoded = performance.now();
  return { sha256, result, seconds: { read: (read - started) / 1000, decode: (decoded - read) / 1000 } };
}
