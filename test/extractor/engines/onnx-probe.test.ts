// The shapes of all layers of an ONNX model, found by runs in a child process: what `layertap layers` shows.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { probeOnnxLayers } from '../../../extractor/src/engines/onnx-probe.ts';
import { openModel } from '../../../extractor/src/model.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import {
  intAttribute,
  intsAttribute,
  node,
  onnxModel,
  type SmallOnnxOptions,
  smallOnnx,
  valueInfo,
} from '../onnx-model.ts';
import { missing, ONNX_MODELS, whyNoShared } from '../shared-material.ts';

const GOLDEN = fileURLToPath(new URL('../models/golden/onnx', import.meta.url));

test.each<[string, SmallOnnxOptions]>([
  ['any number of images', {}],
  ['four images at a time', { inputDims: [4, 3, 8, 6] }],
  ['one image, fixed by a reshape inside,', { reshapeRows: 1 }],
])('every layer of a file for %s has its shape', async (_, options) => {
  expect(await shapesOf(await save(smallOnnx(options)))).toEqual([
    ['image', [8, 6, 3]],
    ['conv', [8, 6, 4]],
    ['relu', [8, 6, 4]],
    ['unused', [8, 6, 4]],
    ['pool', [1, 1, 4]],
    ['flat', [4]],
    ['logits', [5]],
    ['scores', [5]],
  ]);
});

test('axes that move with an open height and width stay open', async () => {
  const shapes = new Map(await shapesOf(await save(smallOnnx({ inputDims: [null, 3, null, null] }))));
  expect(shapes.get('relu')).toEqual([null, null, 4]);
  expect(shapes.get('pool')).toEqual([1, 1, 4]);
  expect(shapes.get('scores')).toEqual([5]);
});

test('what has no row per image, or cannot be handed out, is listed with the reason, and the rest with its shape', async () => {
  const bfloat16 = 16;
  const model = onnxModel({
    nodes: [
      node('Transpose', ['image'], 'turned', [intsAttribute('perm', [1, 0, 2, 3])]),
      node('Relu', ['image'], 'relu'),
      node('Cast', ['relu'], 'brain', [intAttribute('to', bfloat16)]),
      node('Neg', ['relu'], 'negative'),
    ],
    inputs: [valueInfo('image', [null, 3, 8, 6])],
    outputs: [valueInfo('negative', [])],
  });
  const { layers = [] } = (await (await openModel(await save(model))).probeShapes?.()) ?? {};
  expect(layers.map(layer => [layer.name, layer.outputShape])).toEqual([
    ['image', [8, 6, 3]],
    ['turned', []],
    ['relu', [8, 6, 3]],
    ['brain', []],
    ['negative', [8, 6, 3]],
  ]);
  expect(layers[1]?.unsupported).toBe('it gives [3, 2, 8, 6] for 2 images, not one row per image');
  expect(layers[3]?.unsupported).toMatch(/^the runtime cannot give it: /);
});

test('the layers of a file whose weights lie in others have their shapes', async () => {
  const shapes = await shapesOf(join(GOLDEN, 'external.onnx'));
  expect(new Map(shapes).get('/norm/LayerNormalization_output_0')).toEqual([48, 8]);
});

test
  .skipIf(missing(ONNX_MODELS))
  .each(['mnist-8/model.onnx', 'version-RFB-320.onnx', 'ch_ppocr_mobile_v2.0_cls_infer.onnx'])(
  `every layer of %s that is not made of sizes has its shape${whyNoShared(ONNX_MODELS)}`,
  async name => {
    const model = await openModel(join(ONNX_MODELS, name));
    const { layers = [] } = (await model.probeShapes?.()) ?? {};
    expect(layers.length).toBe(model.table.layers.length);
    for (const layer of layers) {
      if (layer.unsupported === undefined) expect(layer.outputShape, layer.name).not.toEqual([]);
      else expect(layer.unsupported, layer.name).toBe('it is made of sizes alone, no feature');
    }
  },
);

test('an operator that the runtime does not know takes only what hangs on it', async () => {
  const bytes = Buffer.from(smallOnnx());
  bytes.write('Rele', bytes.indexOf('Relu'));
  const { layers = [] } = (await (await openModel(await save(bytes))).probeShapes?.()) ?? {};
  expect(layers[1]).toMatchObject({ name: 'conv', outputShape: [8, 6, 4] });
  for (const layer of layers.slice(2)) {
    expect(layer.unsupported).toMatch(/^the runtime cannot give it: .* No Op registered for Rele/);
  }
});

test('a child that takes too long, and one that finds no model, are refused', async () => {
  const path = await save(smallOnnx());
  await expect(probeOnnxLayers(path, { timeoutMs: 1 })).rejects.toMatchObject({
    code: 'model-unreadable',
    message: `Expected a model that ONNX Runtime can run in ${path} but it took longer than 0.001 s`,
  });
  await expect(probeOnnxLayers('/no/such.onnx')).rejects.toMatchObject({
    name: 'Refusal',
    message: expect.stringContaining('no such file'),
  });
});

async function shapesOf(path: string): Promise<(readonly [string, readonly (number | null)[]])[]> {
  const table = await (await openModel(path)).probeShapes?.();
  return table?.layers.map(layer => [layer.name, layer.outputShape] as const) ?? [];
}

async function save(bytes: Uint8Array): Promise<string> {
  const path = join(await temporaryFolder(), 'model.onnx');
  await writeFile(path, bytes);
  return path;
}
