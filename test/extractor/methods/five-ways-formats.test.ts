// The five ways on every format where they have a meaning, as docs/formats.md tells them: one model of each.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { openEngine } from '../../../extractor/src/engine.ts';
import { loadLayersModel } from '../../../extractor/src/load-layers-model.ts';
import { runLayers } from '../../../extractor/src/methods/direct-access.ts';
import { type FeatureSnapshot, featureCallback } from '../../../extractor/src/methods/fit-callback.ts';
import { features } from '../../../extractor/src/methods/inline.ts';
import { extractSubModel } from '../../../extractor/src/methods/sub-model.ts';
import { tapLayer } from '../../../extractor/src/methods/tap.ts';
import { openModel } from '../../../extractor/src/model.ts';
import { selectLayers } from '../../../extractor/src/select.ts';
import { fromTensorData, runBatch } from '../../../extractor/src/tfjs-tensors.ts';
import type { EngineName } from '../../../shared/src/request.ts';
import type { TensorData } from '../../../shared/src/tensor.ts';
import { because, whyNot } from '../../support/needs.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { batchOf } from '../engines/engine-conformance.ts';
import { goldenPath } from '../engines/golden-layers.ts';
import { bytesOf } from '../models/keras-files.ts';
import { relativeDifference } from '../numbers.ts';
import { smallOnnx } from '../onnx-model.ts';
import { GRAPH_MODEL, missing } from '../shared-material.ts';
import { saveSmallModel, smallModel, useWasm } from '../small-model.ts';

beforeAll(useWasm);

interface KerasCase {
  readonly title: string;
  readonly layer: string;
  readonly save: (folder: string) => Promise<string>;
}

const KERAS_CASES: readonly KerasCase[] = [
  {
    title: 'a .keras archive of Keras 3',
    layer: 'partly/partly_bn1',
    save: folder => unpack(folder, 'frozen-k3.keras'),
  },
  {
    title: 'a .keras archive of Keras 2',
    layer: 'partly/partly_bn1',
    save: folder => unpack(folder, 'frozen-k2.keras'),
  },
  { title: 'an .h5 file of Keras 3', layer: 'partly/partly_bn1', save: folder => unpack(folder, 'frozen-k3.h5') },
  { title: 'an .h5 file of Keras 2', layer: 'partly/partly_bn1', save: folder => unpack(folder, 'frozen-k2.h5') },
  { title: 'a TensorFlow.js layers model', layer: 'stem_relu', save: folder => saveSmallModel(smallModel(), folder) },
];

describe.each(KERAS_CASES)('$title', ({ layer, save }) => {
  test('gives the same values by sub-model, direct access, tap, callback and inline', async () => {
    const path = await save(await temporaryFolder());
    const { table } = await openModel(path);
    const inputShape = table.inputShape.map(axis => axis ?? 8);
    const input = batchOf(inputShape, 3);
    const model = await loadLayersModel(path, inputShape);
    const tensor = fromTensorData(input);
    const [subModel] = runBatch(extractSubModel(model, [layer]), tensor);
    const ways = {
      'direct access': runLayers(model, layer, tensor).get(layer),
      tap: runBatch(tapLayer(model, layer), tensor).at(-1),
      callback: await beforeTraining(model, layer, tensor),
      inline: asTensor(await features(path, layer, { engine: 'wasm' })(tensor)),
    };
    tensor.dispose();
    expect(subModel?.data.some(value => value !== 0)).toBe(true);
    for (const [way, values] of Object.entries(ways)) {
      if (subModel === undefined || values === undefined) throw new Error(`Expected values by ${way}`);
      expect(relativeDifference(subModel, values), way).toBe(0);
    }
    model.dispose();
  });
});

interface OtherCase {
  readonly title: string;
  readonly engine: EngineName;
  readonly layer: string;
  readonly inputShape: readonly number[];
  readonly lack: string | undefined;
  readonly path: (folder: string) => Promise<string>;
}

const OTHER_CASES: readonly OtherCase[] = [
  {
    title: 'an ONNX file',
    engine: 'onnx',
    layer: 'relu',
    inputShape: [8, 6, 3],
    lack: undefined,
    path: async folder => {
      const path = join(folder, 'small.onnx');
      await writeFile(path, smallOnnx());
      return path;
    },
  },
  {
    title: 'a TensorFlow.js graph model (of ../shared/data)',
    engine: 'wasm',
    layer: 'class:Relu',
    inputShape: [64, 64, 1],
    lack: missing(GRAPH_MODEL) ? 'no ../shared/data' : undefined,
    path: async () => GRAPH_MODEL,
  },
  {
    title: 'a SavedModel',
    engine: 'tensorflow',
    layer: 'tiny/stem_relu/Relu',
    inputShape: [12, 10, 3],
    lack: whyNot('tensorflow'),
    path: async () => goldenPath('saved-models/keras2'),
  },
];

for (const { title, engine, layer: wanted, inputShape, lack, path } of OTHER_CASES) {
  test.skipIf(lack)(
    `${title} gives the same values by sub-model, iteration, predictions beside, and inline${because(lack)}`,
    async () => {
      const model = await path(await temporaryFolder());
      const { table } = await openModel(model);
      const [layer = ''] = selectLayers(table, [wanted]);
      const input = batchOf(inputShape, 2);
      const extractor = await (await openEngine(engine)).load({ model, layers: [layer], inputShape });
      const [subModel] = await extractor.run(input);
      await extractor.close();
      const iterated = table.layers.find(({ name }) => name === layer)?.name ?? '';
      const direct = await features(model, iterated, { engine })(input);
      const beside = await features(model, [layer, ...table.outputs], { engine })(input);
      expect(Object.keys(beside)).toEqual(expect.arrayContaining([layer, ...table.outputs]));
      for (const values of [direct, beside[layer]]) {
        if (subModel === undefined || values === undefined) throw new Error(`Expected values of '${layer}'`);
        expect(relativeDifference(subModel, asTensor(values))).toBe(0);
      }
    },
  );
}

/** Way 4: what the callback takes before the first step, with the weights of the file. */
async function beforeTraining(
  model: tf.LayersModel,
  layer: string,
  samples: tf.Tensor,
): Promise<TensorData | undefined> {
  const taken: FeatureSnapshot[] = [];
  const write = async (snapshot: FeatureSnapshot): Promise<void> => void taken.push(snapshot);
  const callback = featureCallback({ model, layers: [layer], samples, beforeTraining: true, write });
  await callback.onTrainBegin?.();
  return taken[0]?.features[0]?.tensor;
}

async function unpack(folder: string, file: string): Promise<string> {
  const path = join(folder, file);
  await writeFile(path, bytesOf(file));
  return path;
}

function asTensor({ shape, data }: { readonly shape: readonly number[]; readonly data: Float32Array }): TensorData {
  return { dtype: 'float32', shape, data };
}
