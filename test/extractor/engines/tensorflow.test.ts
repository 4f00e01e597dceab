// The tensorflow engine: the contract, and the same numbers as wasm on a small and a real model.
import { describe, expect, test } from 'vitest';
import { openEngine } from '../../../extractor/src/engine.ts';
import { openTensorFlowEngine } from '../../../extractor/src/engines/tensorflow.ts';
import { openWasmEngine } from '../../../extractor/src/engines/wasm.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { tensorFlowStatus } from '../../../setup/src/tensorflow-library.ts';
import { because, whyNot } from '../../support/needs.ts';
import { relativeDifference } from '../numbers.ts';
import { MOBILENET, missing, whyNoShared } from '../shared-material.ts';
import { batchOf, testEngine } from './engine-conformance.ts';
import { saveForSuite, smallEngine } from './small-engine.ts';

const status = tensorFlowStatus();
const lack = whyNot('tensorflow');

describe.skipIf(lack)(`with TensorFlow${because(lack)}`, () => {
  testEngine('tensorflow', smallEngine(openTensorFlowEngine));

  test('wasm gives the same numbers on the small model, run by run in one process', async () => {
    const model = await saveForSuite();
    await expectSameNumbers(model, ['stem', 'stem_bn', 'block_add', 'embedding', 'scores'], [12, 10, 3]);
  });

  test.skipIf(missing(MOBILENET))(
    `wasm gives the same numbers on the real MobileNetV2${whyNoShared(MOBILENET)}`,
    async () => {
      await expectSameNumbers(MOBILENET, ['Conv1_relu', 'block_5_add', 'out_relu', 'dense_3'], [224, 224, 3]);
    },
  );
});

const present = status.available ? 'TensorFlow is there' : undefined;
test.skipIf(present)(`an engine that cannot be had is refused with reason and remedy${because(present)}`, async () => {
  await expect(openEngine('tensorflow')).rejects.toMatchObject({
    code: 'engine-unavailable',
    hint: expect.stringContaining('wasm'),
  });
});

async function expectSameNumbers(
  model: string,
  layers: readonly string[],
  inputShape: readonly number[],
): Promise<void> {
  const tensorflow = await (await openTensorFlowEngine()).load({ model, layers, inputShape });
  const wasm = await (await openWasmEngine()).load({ model, layers, inputShape });
  const input = batchOf(inputShape, 3);
  // Taking turns shows that neither disturbs the other.
  const expected = await tensorflow.run(input);
  const received = await wasm.run(input);
  expect(tfjs().getBackend()).toBe('wasm');
  const again = await tensorflow.run(input);
  expect(tfjs().getBackend()).toBe('tensorflow');
  layers.forEach((name, index) => {
    const [a, b, c] = [expected[index], received[index], again[index]];
    if (a === undefined || b === undefined || c === undefined) throw new Error(`Expected both to give '${name}'`);
    expect(relativeDifference(a, b), name).toBeLessThan(1e-4);
    expect(relativeDifference(a, c), name).toBe(0);
    expect(
      a.data.some(value => value !== 0),
      name,
    ).toBe(true);
  });
  await tensorflow.close();
  await wasm.close();
}
