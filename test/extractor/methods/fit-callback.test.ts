// The callback during training: when it writes, what it writes, and that training waits for it and is not disturbed.
import { setTimeout as delay } from 'node:timers/promises';
import type * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type FeatureCallbackOptions,
  type FeatureSnapshot,
  featureCallback,
} from '../../../extractor/src/methods/fit-callback.ts';
import { extractSubModel } from '../../../extractor/src/methods/sub-model.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { fromTensorData, runBatch } from '../../../extractor/src/tfjs-tensors.ts';
import { batchOf } from '../engines/engine-conformance.ts';
import { relativeDifference } from '../numbers.ts';
import { SMALL_INPUT, smallModel, useCpu } from '../small-model.ts';

// The wasm backend has no gradients.
beforeAll(useCpu);

describe('snapshots are taken (10 samples, batches of 4: 3 steps an epoch)', () => {
  test.each<[string, Partial<FeatureCallbackOptions>, [epoch: number, step: number][]]>([
    [
      'at the end of every epoch by default',
      {},
      [
        [1, 3],
        [2, 6],
        [3, 9],
        [4, 12],
      ],
    ],
    [
      'every second epoch',
      { everyEpochs: 2 },
      [
        [2, 6],
        [4, 12],
      ],
    ],
    [
      'every 5 batches, counted over all epochs',
      { everyBatches: 5 },
      [
        [2, 5],
        [4, 10],
      ],
    ],
    [
      'once where batch and epoch end together',
      { everyBatches: 3, everyEpochs: 1 },
      [
        [1, 3],
        [2, 6],
        [3, 9],
        [4, 12],
      ],
    ],
    [
      'by batches and epochs',
      { everyBatches: 4, everyEpochs: 4 },
      [
        [2, 4],
        [3, 8],
        [4, 12],
      ],
    ],
    [
      'before training too',
      { beforeTraining: true, everyEpochs: 4 },
      [
        [0, 0],
        [4, 12],
      ],
    ],
  ])('%s', async (_, options, expected) => {
    const { snapshots } = await train(options);
    expect(snapshots.map(({ epoch, step }) => [epoch, step])).toEqual(expected);
  });
});

test('a snapshot holds all samples of all layers, at the weights of that moment', async () => {
  const { snapshots, model, samples } = await train({ layers: ['stem', 'embedding'], batch: 3, everyEpochs: 2 });
  const now = runBatch(extractSubModel(model, ['stem', 'embedding']), samples);
  const [second, fourth] = snapshots;
  expect(fourth?.features.map(({ spec }) => spec)).toEqual([
    { name: 'stem', dtype: 'float32', shape: [6, 5, 6] },
    { name: 'embedding', dtype: 'float32', shape: [8] },
  ]);
  fourth?.features.forEach(({ tensor }, index) => {
    const expected = now[index];
    if (expected === undefined) throw new Error(`Expected an output ${index}`);
    // Three samples at a time against all at once.
    expect(relativeDifference(expected, tensor)).toBeLessThan(1e-5);
  });
  expect(second?.features[1]?.tensor.data).not.toEqual(fourth?.features[1]?.tensor.data);
});

test('before the first step the callback gives exactly what the sub-model gives', async () => {
  const { snapshots, samples } = await train({ beforeTraining: true, everyEpochs: 9 });
  const untrained = runBatch(extractSubModel(smallModel(), ['embedding']), samples);
  expect(snapshots.map(({ features }) => features.map(({ tensor }) => tensor))).toEqual([untrained]);
});

test('training waits for the writing: never two at once', async () => {
  let writing = 0;
  let most = 0;
  await train({
    everyBatches: 1,
    write: async () => {
      writing++;
      most = Math.max(most, writing);
      await delay(5);
      writing--;
    },
  });
  expect(most).toBe(1);
  expect(writing).toBe(0);
});

test('training ends the same with the callback and without it, and no tensor is left', async () => {
  const withIt = await train({ everyBatches: 1 });
  const without = await train({ everyBatches: 1_000 });
  const weights = (model: tf.LayersModel): Float32Array[] =>
    model.getWeights().map(weight => weight.dataSync<'float32'>());
  expect(weights(withIt.model)).toEqual(weights(without.model));
  expect(withIt.tensorsAfter).toBe(without.tensorsAfter);
});

test('a write that fails ends the training with its error', async () => {
  const write = async (): Promise<void> => {
    throw new Error('the disk is full');
  };
  await expect(train({ write })).rejects.toThrow('the disk is full');
});

test.each([{ everyEpochs: 0 }, { everyBatches: 1.5 }, { batch: -1 }])('%j is refused', async options => {
  await expect(train(options)).rejects.toThrow('Expected a whole number of 1 or more');
});

test('an unknown layer is refused before training', async () => {
  await expect(train({ layers: ['steam'] })).rejects.toMatchObject({ code: 'unknown-layer' });
});

interface Training {
  readonly snapshots: readonly FeatureSnapshot[];
  readonly model: tf.LayersModel;
  readonly samples: tf.Tensor;
  /** Tensors more than before the training. */
  readonly tensorsAfter: number;
}

async function train(options: Partial<FeatureCallbackOptions>): Promise<Training> {
  const model = smallModel();
  model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
  const samples = fromTensorData(batchOf(SMALL_INPUT, 10));
  const labels = tfjs().oneHot(
    Array.from({ length: 10 }, (_, i) => i % 3),
    3,
  );
  const snapshots: FeatureSnapshot[] = [];
  const write = async (snapshot: FeatureSnapshot): Promise<void> => void snapshots.push(snapshot);
  const callbacks = featureCallback({ model, layers: ['embedding'], samples, write, ...options });
  const before = tfjs().memory().numTensors;
  await model.fit(samples, labels, { epochs: 4, batchSize: 4, shuffle: false, verbose: 0, callbacks });
  return { snapshots, model, samples, tensorsAfter: tfjs().memory().numTensors - before };
}
