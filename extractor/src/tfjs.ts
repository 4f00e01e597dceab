// Loads TensorFlow.js when it is first needed: importing it takes a quarter of a second, which `--help` should not pay.
import { createRequire } from 'node:module';

export type Tfjs = typeof import('@tensorflow/tfjs');

const require = createRequire(import.meta.url);

/**
 * TensorFlow.js without any native code. It is the very instance that tfjs-node and the wasm backend extend,
 * and that `import * as tf from '@tensorflow/tfjs'` gives: models and tensors may be passed between them.
 */
export function tfjs(): Tfjs {
  return require('@tensorflow/tfjs') as Tfjs;
}

/** Makes a backend that is already initialised the current one, at once. */
export function useBackend(backend: string): void {
  const runtime = tfjs();
  if (runtime.getBackend() === backend) return;
  // The promise only matters for a backend that isn't initialised yet.
  void runtime.setBackend(backend);
  if (runtime.getBackend() !== backend) throw new Error(`Expected TensorFlow.js to have the backend '${backend}'`);
}
