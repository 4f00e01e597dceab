// The reader of TensorFlow.js layers models: layers, shapes, every form of weights, and files that are not whole.
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { loadLayersModel } from '../../../extractor/src/load-layers-model.ts';
import { openModel } from '../../../extractor/src/model.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { runBatch } from '../../../extractor/src/tfjs-tensors.ts';
import type { TensorData } from '../../../shared/src/tensor.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { relativeDifference } from '../numbers.ts';
import { DOODLENET, GRAPH_MODEL, MOBILENET, missing, whyNoShared } from '../shared-material.ts';
import { SMALL_INPUT, SMALL_LAYERS, sampleValues, saveSmallModel, smallModel, useWasm } from '../small-model.ts';

beforeAll(useWasm);

describe('the layers of a model', () => {
  test('are listed with class, shape, parameters and inputs', async () => {
    const path = await saveSmallModel(smallModel(), await temporaryFolder());
    const { format, table } = await openModel(path);
    expect(format).toBe('tfjs-layers');
    expect(table.inputShape).toEqual([12, 10, 3]);
    expect(table.outputs).toEqual(['scores']);
    expect(table.layers.map(layer => layer.name)).toEqual(SMALL_LAYERS);
    expect(table.layers[0]).toEqual({
      index: 0,
      name: 'image',
      className: 'InputLayer',
      outputShape: [12, 10, 3],
      parameters: 0,
      inbound: [],
    });
    expect(table.layers[5]).toEqual({
      index: 5,
      name: 'block_add',
      className: 'Add',
      outputShape: [6, 5, 6],
      parameters: 0,
      inbound: ['stem_relu', 'block_conv'],
    });
    expect(table.layers[1]?.parameters).toBe(3 * 3 * 3 * 6 + 6);
    expect(table.layers[2]?.parameters).toBe(4 * 6);
  });

  test('take no memory: a listing makes no tensor', async () => {
    const path = await saveSmallModel(smallModel(), await temporaryFolder());
    const before = tfjs().memory().numTensors;
    await openModel(path);
    expect(tfjs().memory().numTensors).toBe(before);
  });

  test('of a model inside a model stand under its path, behind the model itself', async () => {
    const { layers, sequential } = tfjs();
    const nested = sequential({
      layers: [smallModel() as unknown as tf.layers.Layer, layers.dense({ name: 'head', units: 2 })],
    });
    const path = await saveSmallModel(nested, await temporaryFolder());
    const { table } = await openModel(path);
    const names = table.layers.map(({ name }) => name);
    expect(names.slice(0, 3)).toEqual(['small', 'small/stem', 'small/stem_bn']);
    expect(names.slice(-2)).toEqual(['small/scores', 'head']);
    expect(table.layers[0]).toMatchObject({ outputShape: [3], parameters: 0, inbound: ['small/scores'] });
    // One tensor under two names: the layer that made it is named.
    expect(table.layers.at(-1)?.inbound).toEqual(['small/scores']);
  });

  test.skipIf(missing(MOBILENET))(
    `of the real MobileNetV2 are 162, with 2,619,461 parameters${whyNoShared(MOBILENET)}`,
    async () => {
      const { table } = await openModel(MOBILENET);
      expect(table.layers).toHaveLength(162);
      expect(table.layers.reduce((sum, layer) => sum + layer.parameters, 0)).toBe(2_619_461);
      expect(table.layers.find(layer => layer.name === 'out_relu')).toMatchObject({
        className: 'ReLU',
        outputShape: [7, 7, 1280],
      });
      expect(table.layers.find(layer => layer.name === 'block_2_add')?.inbound).toEqual([
        'block_1_project_BN',
        'block_2_project_BN',
      ]);
      expect(table.outputs).toEqual(['dense_3']);
    },
  );

  test.skipIf(missing(DOODLENET))(
    `of a Sequential without input layer are read where later layers repeat an input shape${whyNoShared(DOODLENET)}`,
    async () => {
      const warn = vi.spyOn(console, 'warn').mockReturnValue();
      const { table } = await openModel(DOODLENET);
      expect(warn).not.toHaveBeenCalled();
      warn.mockRestore();
      expect(table.layers).toHaveLength(13);
      expect(table.inputShape).toEqual([28, 28, 1]);
      expect(table.layers[1]).toMatchObject({ name: 'conv2d_1', outputShape: [28, 28, 16], inbound: ['conv2d'] });
      const model = await loadLayersModel(DOODLENET);
      expect(model.outputs[0]?.shape).toEqual([null, 345]);
    },
  );
});

describe('shapes for one input', () => {
  test('fill the axes that the model leaves open', async () => {
    const path = await saveSmallModel(smallModel([null, null, 3]), await temporaryFolder());
    const model = await openModel(path);
    expect(model.table.layers[1]?.outputShape).toEqual([null, null, 6]);
    expect(await model.shapesFor([20, 30, 3], ['stem', 'pool', 'image'])).toEqual([[10, 15, 6], [6], [20, 30, 3]]);
  });

  test('are refused where the model wants another size or number of channels', async () => {
    const path = await saveSmallModel(smallModel(), await temporaryFolder());
    const model = await openModel(path);
    await expect(model.shapesFor([12, 12, 3], ['stem'])).rejects.toMatchObject({
      code: 'recipe-mismatch',
      message: 'Expected an input of shape [12, 10, 3] but the recipe gives [12, 12, 3]',
    });
    await expect(model.shapesFor([12, 10, 1], ['stem'])).rejects.toMatchObject({ code: 'recipe-mismatch' });
  });

  test('are refused for an unknown layer, with the nearest names', async () => {
    const path = await saveSmallModel(smallModel(), await temporaryFolder());
    const model = await openModel(path);
    await expect(model.shapesFor([12, 10, 3], ['stem_rel'])).rejects.toMatchObject({
      code: 'unknown-layer',
      hint: expect.stringContaining("'stem_relu'"),
    });
  });
});

describe('weights', () => {
  test.each([
    { title: 'in one file', options: {}, tolerance: 0 },
    { title: 'crossing from file to file', options: { shardBytes: 101 }, tolerance: 0 },
    { title: 'without the key `format`', options: { extra: {} }, tolerance: 0 },
    { title: 'quantised to uint8', options: { quantization: 'uint8' }, tolerance: 0.05 },
    { title: 'quantised to uint16', options: { quantization: 'uint16' }, tolerance: 1e-3 },
    { title: 'as float16', options: { quantization: 'float16' }, tolerance: 1e-2 },
  ] as const)('$title give the values of the model that was saved', async ({ options, tolerance }) => {
    const model = smallModel();
    const path = await saveSmallModel(model, await temporaryFolder(), options);
    const loaded = await loadLayersModel(path);
    expect(relativeDifference(run(model), run(loaded))).toBeLessThanOrEqual(tolerance);
    if (tolerance > 0) expect(relativeDifference(run(model), run(loaded))).toBeGreaterThan(0);
  });

  test('are part of the digest, and so is the topology', async () => {
    const folder = await temporaryFolder();
    const path = await saveSmallModel(smallModel(), folder);
    const { sha256 } = await openModel(path);
    expect((await openModel(folder)).sha256).toBe(sha256);
    const weights = join(folder, 'group1-shard1of1.bin');
    const bytes = await readFile(weights);
    bytes[5] = (bytes[5] ?? 0) ^ 1;
    await writeFile(weights, bytes);
    expect((await openModel(path)).sha256).not.toBe(sha256);
  });
});

describe('a model that is not whole is refused, naming the file:', () => {
  const refusal = { name: 'Refusal', code: 'model-unreadable' };

  test('a truncated weight file, with expected and found bytes', async () => {
    const path = await saveSmallModel(smallModel(), await temporaryFolder());
    const weights = join(dirname(path), 'group1-shard1of1.bin');
    const { length } = await readFile(weights);
    await truncate(weights, length - 3);
    await expect(openModel(path)).rejects.toMatchObject({
      ...refusal,
      message: `Expected ${length} bytes of weights in ${weights} (${length - 3}) but received ${length - 3} bytes`,
    });
    await expect(loadLayersModel(path)).rejects.toMatchObject(refusal);
  });

  test('a missing weight file', async () => {
    const path = await saveSmallModel(smallModel(), await temporaryFolder(), { shardBytes: 500 });
    const weights = join(dirname(path), 'group1-shard2of5.bin');
    await rm(weights);
    await expect(openModel(path)).rejects.toMatchObject({
      ...refusal,
      message: expect.stringContaining(`${weights} is missing`),
    });
  });

  test('a truncated model.json', async () => {
    const path = await saveSmallModel(smallModel(), await temporaryFolder());
    await truncate(path, 700);
    await expect(openModel(path)).rejects.toMatchObject({
      ...refusal,
      message: `Expected JSON in ${path} but received 700 characters that are none`,
    });
  });

  test('weights of another model', async () => {
    const path = await saveSmallModel(smallModel(), await temporaryFolder());
    const json = JSON.parse(await readFile(path, 'utf8'));
    const [dropped] = json.weightsManifest[0].weights.splice(-1);
    await writeFile(path, JSON.stringify(json));
    const weights = join(dirname(path), 'group1-shard1of1.bin');
    const { length } = await readFile(weights);
    await truncate(weights, length - 4 * dropped.shape[0]);
    await expect(openModel(path)).rejects.toMatchObject({
      ...refusal,
      message: expect.stringMatching(/^Expected the weights .* for layer '/),
    });
  });

  test('a layer of an unknown class, but only where it is needed', async () => {
    const path = await saveSmallModel(smallModel(), await temporaryFolder());
    await writeFile(path, (await readFile(path, 'utf8')).replace('"GlobalAveragePooling2D"', '"NoSuchLayer"'));
    const { table, shapesFor } = await openModel(path);
    expect(table.layers.filter(layer => layer.unsupported !== undefined).map(({ name }) => name)).toEqual([
      'pool',
      'embedding',
      'scores',
    ]);
    expect(await shapesFor(SMALL_INPUT, ['block_add'])).toEqual([[6, 5, 6]]);
    await expect(shapesFor(SMALL_INPUT, ['embedding'])).rejects.toMatchObject({
      ...refusal,
      message: expect.stringContaining("'pool' (NoSuchLayer)"),
    });
  });

  test('and leaves no tensor in memory, whether a layer is unknown or its weights do not fit', async () => {
    const path = await saveSmallModel(smallModel(), await temporaryFolder());
    const json = await readFile(path, 'utf8');
    const before = tfjs().memory().numTensors;
    await writeFile(path, json.replace('"GlobalAveragePooling2D"', '"NoSuchLayer"'));
    await expect(loadLayersModel(path)).rejects.toMatchObject(refusal);
    await writeFile(path, json.replace('"units":3', '"units":4'));
    await expect(loadLayersModel(path)).rejects.toMatchObject(refusal);
    // The bias is the second weight of its layer.
    await writeFile(path, json.replace('"shape":[3],"dtype"', '"shape":[1,3],"dtype"'));
    await expect(loadLayersModel(path)).rejects.toMatchObject(refusal);
    expect(tfjs().memory().numTensors).toBe(before);
  });

  test('another layout', async () => {
    const path = join(await temporaryFolder(), 'model.json');
    await writeFile(path, '{"name": "a package"}');
    await expect(openModel(path)).rejects.toMatchObject(refusal);
  });

  test('a file or folder that is not there or holds no model', async () => {
    const folder = await temporaryFolder();
    await expect(openModel(join(folder, 'none.json'))).rejects.toMatchObject({
      ...refusal,
      message: expect.stringContaining('there is no such file'),
    });
    await expect(openModel(folder)).rejects.toMatchObject({
      ...refusal,
      message: expect.stringContaining('a folder without model.json'),
    });
  });

  test.skipIf(missing(GRAPH_MODEL))(`a graph model where layers are expected${whyNoShared(GRAPH_MODEL)}`, async () => {
    await expect(loadLayersModel(GRAPH_MODEL)).rejects.toMatchObject({
      ...refusal,
      message: expect.stringContaining('a graph model'),
    });
  });
});

function run(model: tf.LayersModel): TensorData {
  const input = tfjs().tensor(sampleValues([2, ...SMALL_INPUT]), [2, ...SMALL_INPUT]);
  const [output] = runBatch(model, input);
  input.dispose();
  if (output === undefined) throw new Error('Expected an output');
  return output;
}
