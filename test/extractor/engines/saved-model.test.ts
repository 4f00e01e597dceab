// SavedModels on the tensorflow engine: the contract, and inner tensors as Keras and TensorFlow compute them.
import { readdir } from 'node:fs/promises';
import { describe, expect, test, vi } from 'vitest';
import { openTensorFlowEngine } from '../../../extractor/src/engines/tensorflow.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { because, whyNot } from '../../support/needs.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { testEngine } from './engine-conformance.ts';
import { expectGoldens, goldenInput, goldenPath, readGoldens } from './golden-layers.ts';

const lack = whyNot('tensorflow');
const goldens = readGoldens('saved-models.json');
const SHAPE = [12, 10, 3];

/** Where a Keras layer's output stands in the graph. */
const KERAS_3: Readonly<Record<string, string>> = {
  rescale: 'tiny_1/rescale_1/add',
  stem: 'tiny_1/stem_1/BiasAdd',
  stem_bn: 'tiny_1/stem_bn_1/batchnorm/add_1',
  stem_relu: 'tiny_1/stem_relu_1/Relu',
  add: 'tiny_1/add_1/Add',
  pool: 'tiny_1/pool_1/Mean',
  scores: 'tiny_1/scores_1/Softmax',
};
const KERAS_2: Readonly<Record<string, string>> = {
  rescale: 'tiny/rescale/add',
  stem: 'tiny/stem/BiasAdd',
  stem_bn: 'tiny/stem_bn/FusedBatchNormV3',
  stem_relu: 'tiny/stem_relu/Relu',
  add: 'tiny/add/add',
  pool: 'tiny/pool/Mean',
  scores: 'tiny/scores/Softmax',
};
const BRANCHES: Readonly<Record<string, string>> = { inner_relu: 'inner_relu', mean: 'mean_1' };

describe.skipIf(lack)(`a SavedModel${because(lack)}`, () => {
  testEngine('a SavedModel on tensorflow', {
    open: openTensorFlowEngine,
    model: async () => goldenPath('saved-models/keras2'),
    inputShape: SHAPE,
    wrongInputShape: [12, 10, 1],
    layers: [
      ['tiny/scores/Softmax', [3]],
      ['tiny/stem_bn/FusedBatchNormV3', [12, 10, 6]],
      ['serving_default_image', SHAPE],
      ['tiny/block/pw/BiasAdd', [12, 10, 6]],
    ],
    batchTolerance: 1e-5,
    held: () => tfjs().memory().numTensors,
  });

  test.each([
    ['keras3', (name: string) => KERAS_3[name] ?? name],
    ['keras2', (name: string) => KERAS_2[name] ?? name],
    ['old-style', (name: string) => name],
    ['branches', (name: string) => BRANCHES[name] ?? name],
  ] as const)('of the kind %s gives the inner tensors as the program that wrote it', async (kind, layerOf) => {
    const expected = goldens[kind] ?? {};
    expect(Object.keys(expected).length).toBeGreaterThan(1);
    const input = goldenInput(SHAPE, 1);
    await expectGoldens(await openTensorFlowEngine(), goldenPath(`saved-models/${kind}`), expected, input, layerOf);
  });

  test('leaves no copy of its graph behind', async () => {
    const folder = await temporaryFolder();
    vi.stubEnv('TMPDIR', folder);
    const engine = await openTensorFlowEngine();
    const model = goldenPath('saved-models/old-style');
    await (await engine.load({ model, layers: ['pooled'], inputShape: SHAPE })).close();
    vi.unstubAllEnvs();
    expect(await readdir(folder)).toEqual([]);
  });

  test('a tensor of one branch, of a loop, or behind another input is refused with the reason', async () => {
    const engine = await openTensorFlowEngine();
    const model = goldenPath('saved-models/old-style');
    for (const [layer, reason] of [
      ['scaled', "needs the input 'scale'"],
      ['loop/mul', 'once per turn of a loop'],
    ] as const) {
      await expect(engine.load({ model, layers: [layer], inputShape: SHAPE })).rejects.toMatchObject({
        code: 'unknown-layer',
        hint: expect.stringContaining(reason),
      });
    }
  });
});
