// The wasm engine: the contract, on the npm registry alone; and what its backend has no kernel for.
import type * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { openWasmEngine } from '../../../extractor/src/engines/wasm.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { testEngine } from './engine-conformance.ts';
import { smallEngine } from './small-engine.ts';

testEngine('wasm', smallEngine(openWasmEngine));

describe('an operation that the WebAssembly backend lacks', () => {
  beforeAll(async () => {
    await openWasmEngine();
    await tfjs().setBackend('wasm');
  });

  test.each<[string, () => tf.Tensor, readonly number[]]>([
    [
      'of a list of tensors',
      () => tfjs().einsum('ij,jk->ik', tfjs().tensor2d([1, 2, 3, 4], [2, 2]), tfjs().tensor2d([1, 0, 2, 1], [2, 2])),
      [5, 2, 11, 4],
    ],
    [
      'of named tensors',
      () => tfjs().unsortedSegmentSum(tfjs().tensor1d([1, 2, 3, 4]), tfjs().tensor1d([1, 0, 1, 1], 'int32'), 2),
      [2, 8],
    ],
  ])('%s gives its numbers and leaves no memory behind', (_, run, wanted) => {
    const before = tfjs().memory();
    const held = [tfjs().engine().backend.numDataIds(), tfjs().findBackend('cpu').numDataIds()];
    const values = tfjs().tidy(() => Array.from(run().dataSync()));
    expect(values.length).toBe(wanted.length);
    for (const [index, value] of values.entries()) expect(value).toBeCloseTo(wanted[index] ?? Number.NaN, 6);
    expect(tfjs().memory().numTensors).toBe(before.numTensors);
    expect([tfjs().engine().backend.numDataIds(), tfjs().findBackend('cpu').numDataIds()]).toEqual(held);
  });
});
