// One thread of decode-pool.ts: a file's path in, its digest and its part of the batch out.
import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { workerData } from 'node:worker_threads';
import { prepareInputs } from '../../../extractor/src/preprocess/prepare-image.ts';
import { allowedRoots } from '../../../shared/src/allowed-roots.ts';
import type { DecodedSample, DecodeSettings, DecodeTask } from './decode-pool.ts';
import { openPixelBudget } from './pixel-budget.ts';
import { openFileReader } from './read-image-file.ts';
import { serveTasks } from './thread-server.ts';

const { limits, share, allowRoots } = workerData as DecodeSettings;
const allowed = allowedRoots(allowRoots);
const budget = openPixelBudget(share);
const readImageFile = openFileReader();

serveTasks<DecodeTask, DecodedSample>({
  handle: prepareFile,
  // One being resized here, one being decoded by libvips in its own thread, one being read.
  concurrency: 3,
});

const NOT_ALLOWED = {
  ok: false,
  failure: { code: 'not-allowed', message: 'it lies outside of the folders that --allow-root names' },
} as const;

async function prepareFile({ uri, inputs }: DecodeTask): Promise<DecodedSample> {
  const started = performance.now();
  const path = await allowed(uri);
  const file = path === undefined ? NOT_ALLOWED : await readImageFile(path, limits.maxBytes);
  const sha256 = file.ok ? createHash('sha256').update(file.bytes).digest('hex') : null;
  const read = performance.now();
  const result = file.ok ? await prepareInputs(file.bytes, inputs, { limits, budget }) : file;
  const decoded = performance.now();
  return {
    sha256,
    result,
    seconds: { read: (read - started) / 1000, decode: (decoded - read) / 1000 },
  };
}
