// The five ways to take a layer's output: the same values from each, on a small and on a real model.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadLayersModel } from '../../../extractor/src/load-layers-model.ts';
import { runLayers } from '../../../extractor/src/methods/direct-access.ts';
import { features } from '../../../extractor/src/methods/inline.ts';
import { extractSubModel } from '../../../extractor/src/methods/sub-model.ts';
import { tapLayer } from '../../../extractor/src/methods/tap.ts';
import { prepareImage } from '../../../extractor/src/preprocess/prepare-image.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { fromTensorData, runBatch } from '../../../extractor/src/tfjs-tensors.ts';
import { Recipe } from '../../../shared/src/recipe.ts';
import type { TensorData } from '../../../shared/src/tensor.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { batchOf } from '../engines/engine-conformance.ts';
import { relativeDifference } from '../numbers.ts';
import { CLOTHING, MOBILENET, missing, whyNoShared } from '../shared-material.ts';
import { SMALL_INPUT, SMALL_LAYERS, saveSmallModel, smallModel, useWasm } from '../small-model.ts';

beforeAll(useWasm);

describe('sub-model, direct access, tap and inline give identical values', () => {
  test.each(SMALL_LAYERS)("for the layer '%s' of a small model", async layer => {
    const path = await saveSmallModel(smallModel(), await temporaryFolder());
    await expectSameValues(path, layer, batchOf(SMALL_INPUT, 5));
  });

  test('for a model inside a model', async () => {
    const { layers, sequential } = tfjs();
    const nested = sequential({
      layers: [smallModel() as unknown as tf.layers.Layer, layers.dense({ name: 'head', units: 2 })],
    });
    const path = await saveSmallModel(nested, await temporaryFolder());
    await expectSameValues(path, 'small', batchOf(SMALL_INPUT, 2));
    await expectSameValues(path, 'head', batchOf(SMALL_INPUT, 2));
  });

  for (const layer of ['Conv1_relu', 'block_5_add', 'out_relu', 'dense_3']) {
    test.skipIf(missing(MOBILENET) || missing(CLOTHING))(
      `for the layer '${layer}' of the real MobileNetV2, on photos${whyNoShared(MOBILENET) || whyNoShared(CLOTHING)}`,
      async () => {
        const folder = join(CLOTHING, 'dress');
        const files = (await readdir(folder))
          .sort()
          .slice(0, 3)
          .map(name => join(folder, name));
        const recipe = Recipe.parse({ width: 224, height: 224, scale: 1 / 255 });
        const input = await preparedBatch(files, recipe);
        await expectSameValues(MOBILENET, layer, input);
        const fromPaths = await features(MOBILENET, layer, { recipe, engine: 'wasm' })(files);
        const fromTensor = await features(MOBILENET, layer, { engine: 'wasm' })(input);
        expect(relativeDifference(asTensor(fromPaths), asTensor(fromTensor))).toBe(0);
      },
    );
  }
});

async function expectSameValues(path: string, layer: string, input: TensorData): Promise<void> {
  const model = await loadLayersModel(path, input.shape.slice(1));
  const tensor = fromTensorData(input);
  const [subModel] = runBatch(extractSubModel(model, [layer]), tensor);
  const direct = runLayers(model, layer, tensor).get(layer);
  const tap = runBatch(tapLayer(model, layer), tensor).at(-1);
  const inline = await features(path, layer, { engine: 'wasm' })(tensor);
  tensor.dispose();
  if (subModel === undefined || direct === undefined || tap === undefined)
    throw new Error(`Expected '${layer}' each way`);
  expect(subModel.data.some(value => value !== 0)).toBe(true);
  expect(relativeDifference(subModel, direct), 'direct access').toBe(0);
  expect(relativeDifference(subModel, tap), 'tap').toBe(0);
  expect(relativeDifference(subModel, asTensor(inline)), 'inline').toBe(0);
  model.dispose();
}

async function preparedBatch(files: readonly string[], recipe: Recipe): Promise<TensorData> {
  const size = recipe.width * recipe.height * 3;
  const data = new Float32Array(files.length * size);
  for (const [index, file] of files.entries()) {
    const result = await prepareImage(await readFile(file), recipe);
    if (!result.ok) throw new Error(result.failure.message);
    data.set(result.image.values, index * size);
  }
  return { dtype: 'float32', shape: [files.length, recipe.height, recipe.width, 3], data };
}

function asTensor({ shape, data }: { readonly shape: readonly number[]; readonly data: Float32Array }): TensorData {
  return { dtype: 'float32', shape, data };
}
