// The choice of the engine: what fits the model, what this machine has, and what is refused.
import { describe, expect, test } from 'vitest';
import { chooseEngine } from '../../extractor/src/engine-choice.ts';
import { because, whyNot } from '../support/needs.ts';

const lack = whyNot('tensorflow');
const present = lack === undefined ? 'TensorFlow is there' : undefined;

describe('a layers model', () => {
  test.skipIf(lack)(`runs on TensorFlow where that is ready${because(lack)}`, async () => {
    expect(await chooseEngine('auto', { format: 'tfjs-layers' })).toEqual({
      engine: 'tensorflow',
      reason: expect.stringMatching(/^TensorFlow \d+\.\d+\.\d+ is ready\.$/),
    });
    expect(await chooseEngine('tensorflow', { format: 'tfjs-layers' })).toMatchObject({ engine: 'tensorflow' });
  });

  test.skipIf(present)(
    `runs on wasm where TensorFlow cannot be had, and says that it is slower${because(present)}`,
    async () => {
      expect(await chooseEngine('auto', { format: 'tfjs-layers' })).toEqual({
        engine: 'wasm',
        reason: expect.stringContaining('slower'),
      });
      await expect(chooseEngine('tensorflow', { format: 'tfjs-layers' })).rejects.toMatchObject({
        code: 'engine-unavailable',
      });
    },
  );

  test('runs on wasm where that is asked for', async () => {
    expect(await chooseEngine('wasm', { format: 'tfjs-layers' })).toMatchObject({ engine: 'wasm' });
  });
});

test.each([
  ['onnx', 'onnx'],
  ['null', 'null'],
] as const)('a model of the format %s runs on the engine %s', async (format, engine) => {
  expect(await chooseEngine('auto', { format })).toMatchObject({ engine });
});

test('an engine that cannot run the format is refused, naming those that can', async () => {
  await expect(chooseEngine('onnx', { format: 'saved-model' })).rejects.toMatchObject({
    code: 'bad-option',
    message: "Expected an engine that runs saved-model models for `engine` but received 'onnx'",
    hint: 'The engines for saved-model models are: auto, tensorflow.',
  });
});
