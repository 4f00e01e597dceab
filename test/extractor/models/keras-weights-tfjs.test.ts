// Weights of TensorFlow.js layers models: decoded as TensorFlow.js itself does, and given to the layers that they name.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { LayerWeights } from '../../../extractor/src/layer-graph.ts';
import type { KerasTree } from '../../../extractor/src/models/keras-tree.ts';
import { readTfjsWeights } from '../../../extractor/src/models/keras-weights-tfjs.ts';
import { readModelJson } from '../../../extractor/src/models/model-json.ts';
import { readTfjsFiles } from '../../../extractor/src/models/tfjs-files.ts';
import { readWeightValues } from '../../../extractor/src/models/tfjs-weight-values.ts';
import { readWeights, type WeightSpec } from '../../../extractor/src/models/tfjs-weights.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { DOODLENET, MOBILENET, missing, whyNoShared } from '../shared-material.ts';

/** A tree of one layer a scope: what a flat model's config would give. */
function treeOf(names: readonly string[]): KerasTree {
  const scopes = [...new Set(names.map(name => name.slice(0, name.lastIndexOf('/'))))];
  const children = scopes.map(name => ({ name, path: name, className: 'Conv2D', trainable: true }));
  return { name: 'model', path: '', className: 'Functional', trainable: true, children };
}

test.skipIf(missing(DOODLENET)).each([
  ['doodlenet', DOODLENET],
  ['MobileNetV2, quantised to uint8', MOBILENET],
])(`the numbers of %s are those of tf.io.decodeWeights${whyNoShared(DOODLENET)}`, async (_, path) => {
  const files = await readTfjsFiles(await readModelJson(path));
  const specs = files.weightSpecs as unknown as Parameters<typeof expected>[1];
  const decoded = expected(await readWeights(files.weightFiles), specs);
  const weights = await readTfjsWeights(files, treeOf(files.weightSpecs.map(({ name }) => name)), { data: true });
  const found = [...weights.values()].flat();
  expect(found).toHaveLength(files.weightSpecs.length);
  for (const { name, shape, data } of found) {
    const tensor = decoded[name];
    expect(shape, name).toEqual(tensor?.shape);
    expect(Buffer.compare(bytesOf(data), bytesOf(tensor?.dataSync())), name).toBe(0);
  }
});

const bytesOf = (values: ArrayBufferView | undefined): Buffer =>
  values === undefined ? Buffer.alloc(0) : Buffer.from(values.buffer, values.byteOffset, values.byteLength);

function expected(bytes: ArrayBuffer, specs: Parameters<ReturnType<typeof tfjs>['io']['decodeWeights']>[1]) {
  return tfjs().io.decodeWeights(bytes, specs);
}

async function weightsOf(
  specs: readonly { readonly name: string; readonly [field: string]: unknown }[],
  bytes: readonly Uint8Array[],
  tree?: KerasTree,
): Promise<LayerWeights> {
  const folder = await temporaryFolder();
  const paths = bytes.map((shard, i) => {
    writeFileSync(join(folder, `shard${i}`), shard);
    return `shard${i}`;
  });
  const modelTopology = { class_name: 'Sequential', config: { layers: [] } };
  const weightsManifest = [{ paths, weights: specs }];
  writeFileSync(join(folder, 'model.json'), JSON.stringify({ modelTopology, weightsManifest }));
  const files = await readTfjsFiles(await readModelJson(folder));
  return readTfjsWeights(files, tree ?? treeOf(specs.map(({ name }) => name)), { data: true });
}

test('every quantisation is undone, across the border of two files', async () => {
  const halves = new Uint8Array(new Uint16Array([0x3c00, 0xc000]).buffer);
  const bytes = Uint8Array.of(0, 10, 255, 1, 1, ...halves, 3, 1, 0);
  const specs = [
    { name: 'a/kernel', shape: [3], dtype: 'float32', quantization: { dtype: 'uint8', min: -1, scale: 0.1 } },
    { name: 'a/bias', shape: [1], dtype: 'float32', quantization: { dtype: 'uint16', min: 0, scale: 2 } },
    { name: 'b/half', shape: [2], dtype: 'float32', quantization: { dtype: 'float16' } },
    { name: 'b/count', shape: [1], dtype: 'int32', quantization: { dtype: 'uint8', min: 0.3, scale: 1.5 } },
    { name: 'b/flags', shape: [2], dtype: 'bool' },
  ];
  const weights = await weightsOf(specs, [bytes.subarray(0, 6), bytes.subarray(6)]);
  const values = [...weights].map(([path, own]) => [path, own.map(({ data }) => [...(data ?? [])])]);
  expect(values).toEqual([
    ['a', [[-1, 0, 24.5], [514]]],
    ['b', [[1, -2], [5], [1, 0]]],
  ]);
});

test('the few numbers of one weight of a graph model are the same ones, across the border of two files', async () => {
  const folder = await temporaryFolder();
  const halves = new Uint8Array(new Uint16Array([0x3c00, 0xc000]).buffer);
  const bytes = Uint8Array.of(7, 0, 10, 255, ...halves, 3, 1, 5);
  const specs: WeightSpec[] = [
    { name: 'flags', shape: [1], dtype: 'bool' },
    { name: 'scale', shape: [3], dtype: 'float32', quantization: { dtype: 'uint8', min: -1, scale: 0.1 } },
    { name: 'half', shape: [2], dtype: 'float32', quantization: { dtype: 'float16' } },
    { name: 'count', shape: [1], dtype: 'int32', quantization: { dtype: 'uint8', min: 0.3, scale: 1.5 } },
    { name: 'open', shape: [1], dtype: 'float32', quantization: { dtype: 'uint8' } },
    { name: 'none', shape: [0], dtype: 'float32' },
    { name: 'text', shape: [1], dtype: 'string' },
    { name: 'behind', shape: [1], dtype: 'float32' },
  ];
  const weightFiles = [bytes.subarray(0, 6), bytes.subarray(6)].map((shard, i) => {
    const path = join(folder, `shard${i}`);
    writeFileSync(path, shard);
    return { path, bytes: shard.length };
  });
  const read = (name: string): ReturnType<typeof readWeightValues> =>
    readWeightValues({ weightFiles, weightSpecs: specs }, name);
  const known = specs.slice(1, 4) as unknown as Parameters<typeof expected>[1];
  const decoded = expected(bytes.slice(1, 9).buffer, known);
  for (const { name } of known) expect(await read(name), name).toEqual([...(decoded[name]?.dataSync() ?? [])]);
  for (const name of ['flags', 'none', 'text', 'behind', 'elsewhere']) expect(await read(name), name).toBeUndefined();
  await expect(read('open')).rejects.toThrow("min and scale of the quantised weight 'open'");
});

test('a model converted from a .keras archive has paths for names', async () => {
  const specs = ['0', '1'].flatMap(i => [
    { name: `_layer_checkpoint_dependencies/conv2d/vars/${i}`, shape: [1], dtype: 'bool' },
    { name: `_layer_checkpoint_dependencies/conv2d_1/vars/${i}`, shape: [1], dtype: 'bool' },
  ]);
  const weights = await weightsOf(specs, [Uint8Array.of(1, 2, 3, 4)], treeOf(['first/kernel', 'second/kernel']));
  expect([...weights].map(([path, own]) => [path, own.map(({ data }) => data?.[0])])).toEqual([
    ['first', [1, 3]],
    ['second', [2, 4]],
  ]);
});

test('quantised weights without their scale, and texts, are refused', async () => {
  const quantised = { name: 'a/k', shape: [1], dtype: 'float32', quantization: { dtype: 'uint8' } };
  await expect(weightsOf([quantised], [Uint8Array.of(1)])).rejects.toThrow(
    "min and scale of the quantised weight 'a/k'",
  );
  const text = { name: 'a/k', shape: [1], dtype: 'string' };
  await expect(weightsOf([text], [Uint8Array.of(1)])).rejects.toThrow("received string in 'a/k'");
});
