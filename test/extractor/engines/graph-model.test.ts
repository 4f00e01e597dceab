// Graph models on both TensorFlow.js engines: the contract, and the same numbers as TensorFlow in Python.
import { describe, expect, test } from 'vitest';
import { openOnnxEngine } from '../../../extractor/src/engines/onnx.ts';
import { openTensorFlowEngine } from '../../../extractor/src/engines/tensorflow.ts';
import { openWasmEngine } from '../../../extractor/src/engines/wasm.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { because, whyNot } from '../../support/needs.ts';
import { MODELS, missing, whyNoShared } from '../shared-material.ts';
import { testEngine } from './engine-conformance.ts';
import { expectGoldens, goldenInput, goldenPath, readGoldens } from './golden-layers.ts';

const SMALL = goldenPath('small-graph-model');
const real = [
  ['tfjs-graph-nsfw-mobilenet-v2-mid/model.json', [224, 224, 3]],
  ['tfjs-graph-emotion/emotion.json', [64, 64, 1]],
] as const;

describe('a graph model, compiled', () => {
  test.skipIf(missing(MODELS)).each(real)(
    `gives the inner tensors of %s as TensorFlow does${whyNoShared(MODELS)}`,
    async (file, shape) => {
      const goldens = readGoldens('graph-models.json')[file] ?? {};
      await expectGoldens(await openOnnxEngine(), `${MODELS}/${file}`, goldens, goldenInput(shape, 255));
    },
  );

  test('gives what TensorFlow gives before its loop and branch, and is refused behind them', async () => {
    const goldens = readGoldens('small-graph-model.json')['small-graph-model'] ?? {};
    const before = Object.fromEntries(Object.entries(goldens).filter(([name]) => /^(relu|halves)/.test(name)));
    expect(Object.keys(before).length).toBeGreaterThan(1);
    await expectGoldens(await openOnnxEngine(), SMALL, before, goldenInput([12, 10, 3], 255));
    const behind = (await openOnnxEngine()).load({ model: SMALL, layers: ['pooled'], inputShape: [12, 10, 3] });
    await expect(behind).rejects.toMatchObject({
      code: 'engine-unavailable',
      message: expect.stringContaining('but it has branches or loops'),
    });
  });
});

describe.each([
  ['tensorflow', openTensorFlowEngine, whyNot('tensorflow')],
  ['wasm', openWasmEngine, undefined],
] as const)('a graph model on %s', (name, open, absent) => {
  describe.skipIf(absent)(`as it is here${because(absent)}`, () => {
    testEngine(`a graph model with control flow on ${name}`, {
      open,
      model: async () => SMALL,
      inputShape: [12, 10, 3],
      wrongInputShape: [12, 10, 1],
      layers: [
        ['pooled', [2]],
        ['halves#1', [6, 5, 2]],
        ['image', [12, 10, 3]],
        ['relu', [6, 5, 2]],
      ],
      batchTolerance: 1e-5,
      held: () => tfjs().memory().numTensors,
    });

    test('gives what TensorFlow gives, behind a loop and a branch too', async () => {
      const goldens = readGoldens('small-graph-model.json')['small-graph-model'] ?? {};
      expect(Object.keys(goldens)).toContain('pooled');
      await expectGoldens(await open(), SMALL, goldens, goldenInput([12, 10, 3], 255));
    });

    test.skipIf(missing(MODELS)).each(real)(
      `gives the inner tensors of %s as TensorFlow does${whyNoShared(MODELS)}`,
      async (file, shape) => {
        const goldens = readGoldens('graph-models.json')[file] ?? {};
        expect(Object.keys(goldens).length).toBeGreaterThan(5);
        await expectGoldens(await open(), `${MODELS}/${file}`, goldens, goldenInput(shape, 255));
      },
    );

    test('a layer of which no row belongs to an image is refused', async () => {
      const loading = (await open()).load({ model: SMALL, layers: ['Mean'], inputShape: [12, 10, 3] });
      await expect(loading).rejects.toMatchObject({ code: 'unknown-layer' });
    });
  });
});
