// Features of ONNX models have their channels last whatever the operator: compared, number by number, with a
// convolution of 4 channels, whose place is known by definition. Space is 8 × 6, so no axis can pass for another.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openOnnxEngine } from '../../../extractor/src/engines/onnx.ts';
import { openModel } from '../../../extractor/src/model.ts';
import { poolFeature } from '../../../extractor/src/pool.ts';
import { requirePoolable } from '../../../extractor/src/poolable.ts';
import type { TensorData } from '../../../shared/src/tensor.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { relativeDifference } from '../numbers.ts';
import {
  floatTensor,
  int64Tensor,
  intAttribute,
  intsAttribute,
  KERNEL,
  node,
  onnxModel,
  valueInfo,
} from '../onnx-model.ts';
import { batchOf } from './engine-conformance.ts';

const INPUT = [8, 6, 3];
const GATE = [1, 2, 3, 4];
const turned = node('Transpose', ['conv'], 'turned', [intsAttribute('perm', [0, 2, 3, 1])]);
const reshaped = node('Reshape', ['conv', 'target'], 'reshaped');

describe('channels are last, with the numbers of the convolution, after', () => {
  test.each<[string, string, Uint8Array[], (pixel: readonly number[]) => readonly number[]]>([
    ['a softmax over them', 'out', [node('Softmax', ['conv'], 'out', [intAttribute('axis', 1)])], softmax],
    ['a product with a weight for each', 'out', [node('Mul', ['conv', 'gate'], 'out')], gated],
    ['a transposition to NHWC', 'turned', [turned], pixel => pixel],
    [
      'a transposition back to NCHW',
      'out',
      [turned, node('Transpose', ['turned'], 'out', [intsAttribute('perm', [0, 3, 1, 2])])],
      pixel => pixel,
    ],
    [
      'a softmax between two transpositions',
      'out',
      [
        turned,
        node('Softmax', ['turned'], 'soft', [intAttribute('axis', -1)]),
        node('Transpose', ['soft'], 'out', [intsAttribute('perm', [0, 3, 1, 2])]),
      ],
      softmax,
    ],
    [
      'a concatenation',
      'out',
      [node('Concat', ['conv', 'conv'], 'out', [intAttribute('axis', 1)])],
      pixel => [...pixel, ...pixel],
    ],
  ])('%s', async (_, layer, nodes, expected) => {
    const { conv, feature } = await extract(nodes, layer);
    const channels = expected(GATE).length;
    expect(feature.shape).toEqual([2, 8, 6, channels]);
    const wanted = pixelsOf(conv).flatMap(expected);
    expect(relativeDifference({ ...feature, data: Float32Array.from(wanted) }, feature)).toBeLessThan(1e-6);
  });
});

test('a mean that keeps its axes, pooled or not, is the global average', async () => {
  const mean = await extract([node('ReduceMean', ['conv'], 'out', [intsAttribute('axes', [2, 3])])], 'out');
  const average = await extract([node('GlobalAveragePool', ['conv'], 'out')], 'out');
  expect(mean.feature.shape).toEqual([2, 1, 1, 4]);
  expect(poolFeature(mean.feature, 'mean').shape).toEqual([2, 4]);
  expect(relativeDifference(average.feature, mean.feature)).toBeLessThan(1e-6);
  expect(relativeDifference(poolFeature(mean.conv, 'mean'), poolFeature(mean.feature, 'mean'))).toBeLessThan(1e-6);
});

describe('where nobody knows which axis the channels are', () => {
  test("a tensor is given in the model's own order", async () => {
    const { conv, feature } = await extract([turned, reshaped], 'reshaped');
    expect(feature.shape).toEqual([2, 4, 8, 6]);
    const secondChannel = pixelsOf(conv).map(pixel => pixel[1]);
    expect([...feature.data.subarray(48, 96)]).toEqual(secondChannel.slice(0, 48));
  });

  test('pooling is refused, naming the layer; a single axis and known layers are pooled', async () => {
    const path = await save([turned, reshaped, node('Flatten', ['conv'], 'flat')]);
    const { table, shapesFor } = await openModel(path);
    const check = async (pooling: 'none' | 'mean' | 'max', ...layers: string[]): Promise<void> =>
      requirePoolable(table, layers, await shapesFor(INPUT, layers), pooling);
    await check('none', 'reshaped');
    await check('mean', 'image', 'conv', 'turned', 'flat');
    for (const pooling of ['mean', 'max'] as const) {
      await expect(check(pooling, 'conv', 'reshaped')).rejects.toMatchObject({
        code: 'bad-option',
        message: `Expected pooling none for layer 'reshaped' but received ${pooling}: which axis of [4, 8, 6] holds its channels is not known`,
      });
    }
  });
});

/** The layer, and the convolution that it follows. */
async function extract(
  nodes: readonly Uint8Array[],
  layer: string,
): Promise<{ conv: TensorData; feature: TensorData }> {
  const engine = await openOnnxEngine();
  const extractor = await engine.load({ model: await save(nodes), layers: ['conv', layer], inputShape: INPUT });
  const [conv, feature] = await extractor.run(batchOf(INPUT, 2));
  await extractor.close();
  if (conv === undefined || feature === undefined) throw new Error('Expected two features');
  expect(conv.shape).toEqual([2, 8, 6, 4]);
  return { conv, feature };
}

async function save(nodes: readonly Uint8Array[]): Promise<string> {
  const path = join(await temporaryFolder(), 'channels.onnx');
  const model = onnxModel({
    nodes: [node('Conv', ['image', 'kernel'], 'conv', [intsAttribute('pads', [1, 1, 1, 1])]), ...nodes],
    weights: [
      floatTensor('kernel', [4, 3, 3, 3], KERNEL),
      floatTensor('gate', [1, 4, 1, 1], Float32Array.from(GATE)),
      int64Tensor('target', [0, 4, 8, 6]),
    ],
    inputs: [valueInfo('image', [null, 3, 8, 6])],
    outputs: [valueInfo('conv', [null, 4, 8, 6])],
  });
  await writeFile(path, model);
  return path;
}

function pixelsOf({ data, shape }: TensorData): number[][] {
  const channels = shape.at(-1) ?? 1;
  return Array.from({ length: data.length / channels }, (_, pixel) => [
    ...data.subarray(pixel * channels, (pixel + 1) * channels),
  ]);
}

function softmax(pixel: readonly number[]): readonly number[] {
  const powers = pixel.map(Math.exp);
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map(power => power / sum);
}

function gated(pixel: readonly number[]): readonly number[] {
  return pixel.map((value, channel) => value * (GATE[channel] ?? 0));
}
