// What can be fed to an ONNX model: element types, layouts that the file leaves open, several inputs, and what cannot.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Extractor } from '../../../extractor/src/engine.ts';
import { openOnnxEngine } from '../../../extractor/src/engines/onnx.ts';
import { roundHalfEven } from '../../../extractor/src/engines/onnx-values.ts';
import { openModel } from '../../../extractor/src/model.ts';
import { ELEMENT } from '../../../extractor/src/models/onnx-tensor.ts';
import { encodeHalf, halfValue } from '../../../shared/src/half-float.ts';
import { sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import {
  floatTensor,
  intAttribute,
  intsAttribute,
  KERNEL,
  node,
  type OnnxParts,
  onnxModel,
  valueInfo,
} from '../onnx-model.ts';

const INPUT = [8, 6, 3];
const kernel = floatTensor('kernel', [4, 3, 3, 3], KERNEL);
const conv = node('Conv', ['image', 'kernel'], 'conv');
const toNchw = node('Transpose', ['image'], 'turned', [intsAttribute('perm', [0, 3, 1, 2])]);

describe('an input of', () => {
  test.each([
    ['uint8', ELEMENT.uint8, [0, 1, 2, 254, 255, 2]],
    ['int8', ELEMENT.int8, [-128, 127, 0, -1, 1, 2]],
    ['uint16', ELEMENT.uint16, [0, 65_535, 2, 254, 255, 2]],
    ['int16', ELEMENT.int16, [-32_768, 32_767, 2, 254, 255, 2]],
    ['int32', ELEMENT.int32, [-70_000, 70_000, 2, 254, 255, 2]],
    ['float64', ELEMENT.float64, [-0.5, 0.25, 2, 254, 255, 2]],
    ['float16', ELEMENT.float16, [-0.5, 0.25, 2, 254, 255, 2]],
  ])('%s is fed by casting', async (_, elementType, values) => {
    const extractor = await load(passThrough(elementType), ['float']);
    const [received] = await extractor.run(batchFrom(values));
    expect([...(received?.data ?? [])].slice(0, values.length)).toEqual(values);
    await extractor.close();
  });

  test('whole numbers rounds what is not whole, halves to even', async () => {
    const extractor = await load(passThrough(ELEMENT.uint8), ['float']);
    const [received] = await extractor.run(batchFrom([0.5, 1.5, 2.49, 254.51, 255.4, -0.4]));
    expect([...(received?.data ?? [])].slice(0, 6).map(Math.abs)).toEqual([0, 2, 2, 255, 255, 0]);
    await extractor.close();
  });

  test.each([
    ['fractions of 1, as a recipe with scale 1/255 gives', [0.1, 0.9, 1], 'values of at most 1'],
    ['values beyond its range', [0, 256], '256'],
    ['values below its range, as a recipe with a mean gives', [-103.9, 7], '-103.9'],
    ['no numbers', [Number.NaN], 'NaN'],
  ])('bytes refuses %s', async (_, values, received) => {
    const extractor = await load(passThrough(ELEMENT.uint8), ['float']);
    await expect(extractor.run(batchFrom(values))).rejects.toMatchObject({
      code: 'recipe-mismatch',
      message: expect.stringMatching(
        `Expected whole numbers from 0 to 255 for an input of uint8 but received ${received}`,
      ),
    });
    await extractor.close();
  });

  test.each([
    ['bfloat16', ELEMENT.bfloat16],
    ['string', ELEMENT.string],
    ['int64', ELEMENT.int64],
  ])('%s is refused by name', async (name, elementType) => {
    await expect(load(passThrough(elementType), ['float'])).rejects.toMatchObject({
      code: 'model-unreadable',
      message: expect.stringContaining(`'image' of ${name}`),
    });
  });
});

describe('where the file leaves the channels open, their place is', () => {
  const open = [null, null, null, null];

  test('axis 1 in front of a convolution, which also tells their number', async () => {
    const parts = {
      nodes: [conv],
      weights: [kernel],
      inputs: [valueInfo('image', open)],
      outputs: [valueInfo('conv', [])],
    };
    const { table } = await openModel(await save(parts));
    expect(table.inputShape).toEqual([null, null, 3]);
    expect((await load(parts, ['conv'])).outputs[0]?.shape).toEqual([6, 4, 4]);
    await expect(load(parts, ['conv'], [8, 6, 1])).rejects.toMatchObject({ code: 'recipe-mismatch' });
  });

  test.each([
    ['image', 'factor'],
    ['factor', 'image'],
  ])('the last axis in front of a transposition to NCHW, also behind %s × %s', async (left, right) => {
    const nodes = [
      node('Mul', [left, right], 'scaled'),
      node('Transpose', ['scaled'], 'turned', [intsAttribute('perm', [0, 3, 1, 2])]),
      node('Conv', ['turned', 'kernel'], 'conv'),
    ];
    const weights = [kernel, floatTensor('factor', [1], Float32Array.of(0.5))];
    const parts = { nodes, weights, inputs: [valueInfo('image', open)], outputs: [valueInfo('conv', [])] };
    const { table } = await openModel(await save(parts));
    expect(table.inputShape).toEqual([null, null, 3]);
    expect(table.preprocessing).toEqual([{ layer: 'scaled', does: 'x * 0.5' }]);
    expect((await load(parts, ['conv'])).outputs[0]?.shape).toEqual([6, 4, 4]);
  });

  test('told by the convolution, too, where both axes could be channels', async () => {
    const parts = {
      nodes: [conv],
      weights: [kernel],
      inputs: [valueInfo('image', [1, 3, 8, 3])],
      outputs: [valueInfo('conv', [])],
    };
    expect((await openModel(await save(parts))).table.inputShape).toEqual([8, 3, 3]);
  });

  test('refused where nothing tells, with what to do', async () => {
    const parts = {
      nodes: [node('Relu', ['image'], 'relu')],
      inputs: [valueInfo('image', open)],
      outputs: [valueInfo('relu', [])],
    };
    await expect(load(parts, ['relu'])).rejects.toMatchObject({
      code: 'model-unreadable',
      message: expect.stringContaining("'image' of shape [?, ?, ?, ?]"),
      hint: expect.stringContaining('number fixed to 1 or 3'),
    });
  });
});

test.each([[[null, 784]], [[null, 28, 28]], [[null, 3, 8, 8, 6]]])('an input of shape %j is no image', async dims => {
  const parts = {
    nodes: [node('Relu', ['image'], 'relu')],
    inputs: [valueInfo('image', dims)],
    outputs: [valueInfo('relu', [])],
  };
  await expect(load(parts, ['relu'])).rejects.toMatchObject({
    code: 'model-unreadable',
    hint: expect.stringContaining('four axes'),
  });
  const { table } = await openModel(await save(parts));
  expect(table.layers[1]?.unsupported).toContain("it needs the input 'image' of shape");
});

describe('a model with several inputs', () => {
  const parts: OnnxParts = {
    nodes: [
      conv,
      node('Relu', ['conv'], 'relu'),
      node('Mul', ['relu', 'threshold'], 'scaled'),
      node('Neg', ['threshold'], 'negative'),
    ],
    weights: [kernel],
    inputs: [valueInfo('threshold', [1]), valueInfo('image', [null, 3, 8, 6])],
    outputs: [valueInfo('scaled', [])],
  };

  test('gives the layers that only the image reaches', async () => {
    const { table } = await openModel(await save(parts));
    expect(table.inputShape).toEqual([8, 6, 3]);
    const extractor = await load(parts, ['relu', 'image']);
    expect(extractor.outputs.map(output => output.shape)).toEqual([[6, 4, 4], INPUT]);
    await extractor.close();
  });

  test('refuses the others, naming the inputs', async () => {
    await expect(load(parts, ['relu', 'scaled'])).rejects.toMatchObject({
      code: 'model-unreadable',
      message: expect.stringContaining(
        "layers that need 2 inputs: 'threshold' of shape [1], 'image' of shape [?, 3, 8, 6]",
      ),
    });
    const { table } = await openModel(await save(parts));
    expect(table.layers.map(layer => [layer.name, layer.unsupported])).toEqual([
      ['threshold', 'it is an input of shape [1], no image'],
      ['image', undefined],
      ['conv', undefined],
      ['relu', undefined],
      ['scaled', "it needs several inputs: 'image', 'threshold'"],
      ['negative', "it needs the input 'threshold' of shape [1], no image"],
    ]);
  });

  test('takes the default of an input that has one', async () => {
    const withDefault = { ...parts, weights: [kernel, floatTensor('threshold', [1], Float32Array.of(2))] };
    const extractor = await load(withDefault, ['scaled', 'relu']);
    const [scaled, relu] = await extractor.run(batchFrom([3, 7, 5, 1]));
    expect([...(scaled?.data ?? [])]).toEqual([...(relu?.data ?? [])].map(value => 2 * value));
    await extractor.close();
  });
});

test('an output of strings or of another kind is refused by name, also where the file does not say', async () => {
  const nodes = [
    toNchw,
    node('Cast', ['turned'], 'text', [intAttribute('to', ELEMENT.string)]),
    node('Identity', ['text'], 'copy'),
  ];
  const parts = {
    nodes,
    inputs: [valueInfo('image', [null, 8, 6, 3])],
    outputs: [valueInfo('text', [], ELEMENT.string)],
  };
  await expect(load(parts, ['text'])).rejects.toMatchObject({
    code: 'unknown-layer',
    message: expect.stringContaining('it gives strings'),
  });
  await expect(load(parts, ['copy'])).rejects.toMatchObject({
    code: 'unknown-layer',
    message: "Expected a layer of numbers but 'copy' gives string",
  });
});

const toHalf = (value: number): number | undefined => encodeHalf(Float32Array.of(value))[0];

test('half precision is rounded to the nearest, ties to even, and read back exactly', () => {
  for (let bits = 0; bits < 0x7c00; bits++) expect(toHalf(halfValue(bits))).toBe(bits);
  const known: readonly (readonly [number, number])[] = [
    [1, 0x3c00],
    [-2, 0xc000],
    [65_504, 0x7bff],
    [65_520, 0x7c00],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [2 ** -24, 1],
    [2 ** -25, 0],
    [-0, 0x8000],
    [Number.NEGATIVE_INFINITY, 0xfc00],
    [Number.NaN, 0x7e00],
  ];
  for (const [value, bits] of known) expect(toHalf(value), `${value}`).toBe(bits);
  expect([0.5, 1.5, 2.5, -0.5, -1.5].map(roundHalfEven).map(Math.abs)).toEqual([0, 2, 2, 0, 2]);
});

/** The input, cast to float32, is a layer. */
function passThrough(elementType: number): OnnxParts {
  return {
    nodes: [node('Cast', ['image'], 'float', [intAttribute('to', ELEMENT.float32)])],
    inputs: [valueInfo('image', [null, 8, 6, 3], elementType)],
    outputs: [valueInfo('float', [null, 8, 6, 3])],
  };
}

async function load(
  parts: OnnxParts,
  layers: readonly string[],
  inputShape: readonly number[] = INPUT,
): Promise<Extractor> {
  const engine = await openOnnxEngine();
  return engine.load({ model: await save(parts), layers, inputShape });
}

async function save(parts: OnnxParts): Promise<string> {
  const path = join(await temporaryFolder(), 'model.onnx');
  await writeFile(path, onnxModel(parts));
  return path;
}

/** One image that begins with these values, then zeros. */
function batchFrom(values: readonly number[]): TensorData {
  const data = new Float32Array(sizeOfShape(INPUT));
  data.set(values);
  return { dtype: 'float32', shape: [1, ...INPUT], data };
}
