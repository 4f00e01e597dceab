// Any tensor of an ONNX file against ONNX Runtime's own Python package (golden/make_onnx_goldens.py): names, operators
// and types as exporters write them, and two real models layer by layer.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openOnnxEngine } from '../../../extractor/src/engines/onnx.ts';
import { openModel } from '../../../extractor/src/model.ts';
import { selectLayers } from '../../../extractor/src/select.ts';
import { sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';
import { missing, ONNX_MODELS, whyNoShared } from '../shared-material.ts';

interface GoldenLayer {
  readonly shape: readonly number[];
  readonly sum: number;
  readonly largest: number;
  readonly step: number;
  readonly samples: readonly number[];
}
interface GoldenModel {
  readonly input: readonly number[];
  readonly scale: number;
  readonly layers: Readonly<Record<string, GoldenLayer>>;
}

const FOLDER = fileURLToPath(new URL('golden/onnx', import.meta.url));
const GOLDEN = JSON.parse(readFileSync(`${FOLDER}.json`, 'utf8')) as { models: Record<string, GoldenModel> };
const goldenOf = (name: string): GoldenModel => GOLDEN.models[name] as GoldenModel;

describe('every layer has the shape and the numbers of ONNX Runtime in Python:', () => {
  const own = Object.keys(GOLDEN.models).filter(name => !name.startsWith('real/'));
  test.each(own)('%s', async name => {
    // A step of half precision beside values of about 1; float32 is the same library twice.
    await compare(join(FOLDER, name), goldenOf(name), name === 'half.onnx' ? 1e-3 : 1e-6);
  });

  test('torch-opset21.onnx with its weights in two other files, one of them in a folder', async () => {
    await compare(join(FOLDER, 'external.onnx'), goldenOf('torch-opset21.onnx'), 1e-6);
  });

  test.skipIf(missing(ONNX_MODELS)).each(['version-RFB-320.onnx', 'ch_ppocr_mobile_v2.0_cls_infer.onnx'])(
    `%s, a real model${whyNoShared(ONNX_MODELS)}`,
    async name => compare(join(ONNX_MODELS, name), goldenOf(`real/${name}`), 1e-5),
  );
});

test('names with slashes, dots, colons, spaces and letters of any alphabet are taken as they stand in the table', async () => {
  const { table } = await openModel(join(FOLDER, 'torch-opset18.onnx'));
  const names = table.layers.filter(layer => layer.unsupported === undefined).map(layer => layer.name);
  expect(names).toContain('/features/features.0/Conv_output_0');
  expect(names).toContain('/größe/Mul output:0');
  for (const name of names) expect(selectLayers(table, [name])).toEqual([name]);
});

test('tensors inside the branches of an If are not in the table; what it gives is', async () => {
  const { table } = await openModel(join(FOLDER, 'branches.onnx'));
  expect(table.layers.map(layer => layer.name)).toEqual(['image', 'conv', 'largest', 'is positive', 'chosen', 'pool']);
  expect(table.layers.find(layer => layer.name === 'chosen')?.inbound).toEqual(['is positive', 'conv']);
});

test('an input of bytes with open size and channels, and preprocessing behind it, are recognised', async () => {
  const { table } = await openModel(join(FOLDER, 'whole-numbers.onnx'));
  expect(table.inputShape).toEqual([null, null, 3]);
  expect(table.modelName).toBe('mobile_v7');
  expect(table.preprocessing).toEqual([
    { layer: 'centred', does: 'x - [123.675, 116.28, 103.53]' },
    { layer: 'scaled', does: 'x / [58.4, 57.1, 57.4]' },
  ]);
});

test('what exporters call every graph is no name, and a first convolution no preprocessing', async () => {
  const { table } = await openModel(join(FOLDER, 'torch-opset17.onnx'));
  expect(table.modelName).toBeUndefined();
  expect(table.preprocessing).toBeUndefined();
});

test('the target of a reshape is no feature; tokens have their channels last once a normalization says which axis they are', async () => {
  const { table } = await openModel(join(FOLDER, 'torch-opset17.onnx'));
  const sizes = table.layers.filter(layer => layer.unsupported === 'it is made of sizes alone, no feature');
  expect(sizes.map(layer => layer.name)).toEqual(['/Shape_output_0', '/Concat_output_0']);
  const unknown = table.layers.filter(layer => layer.channelAxis === 'unknown').map(layer => layer.name);
  expect(unknown).not.toContain('/norm/LayerNormalization_output_0');
  expect(unknown).not.toContain('/blocks.0/Add_output_0');
});

async function compare(path: string, { input, scale, layers }: GoldenModel, tolerance: number): Promise<void> {
  const engine = await openOnnxEngine();
  const names = Object.keys(layers);
  const extractor = await engine.load({ model: path, layers: names, inputShape: input.slice(1) });
  const results = await extractor.run(pixels(input, scale));
  await extractor.close();
  names.forEach((name, index) => {
    const { shape, sum, largest, step, samples } = layers[name] as GoldenLayer;
    const { data, shape: received } = results[index] as TensorData;
    expect(received, name).toEqual(shape);
    const values = samples.map((_, position) => data[position * step] ?? Number.NaN);
    const differences = values.map((value, position) => Math.abs(value - (samples[position] ?? Number.NaN)));
    expect(Math.max(...differences), name).toBeLessThanOrEqual(tolerance * largest);
    const total = data.reduce((running, value) => running + value, 0);
    expect(Math.abs(total - sum), `${name}, sum`).toBeLessThanOrEqual(tolerance * largest * data.length);
  });
}

/** The same values as `pixels` of make_onnx_goldens.py. */
function pixels(shape: readonly number[], scale: number): TensorData {
  const data = Float32Array.from(
    { length: sizeOfShape(shape) },
    (_, index) => ((index * 7919 + Math.floor(index / 7) * 31) % 256) * scale,
  );
  return { dtype: 'float32', shape, data };
}
