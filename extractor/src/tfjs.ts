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
