// The real trained Keras files of ../shared/data, layer by layer against tf_keras (golden/trained/make_trained.py), and what the
// command line makes of them. The real graph models and ONNX files are compared in test/extractor.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { LARGEST_RELATIVE } from '../../extractor/src/agreement.ts';
import { chooseRecipe } from '../../extractor/src/choose-recipe.ts';
import { openEngine } from '../../extractor/src/engine.ts';
import { enginesFor } from '../../extractor/src/engine-choice.ts';
import { openModel } from '../../extractor/src/model.ts';
import type { TensorData } from '../../shared/src/tensor.ts';
import { MODELS, missing, whyNoShared } from '../extractor/shared-material.ts';
import { whyNot } from '../support/needs.ts';
import { drawImages } from './golden.ts';

interface TrainedLayer {
  /** With the rows. */
  readonly shape: readonly number[];
  readonly largest: number;
  /** Of `samples` in the flat values. */
  readonly step: number;
  readonly samples: readonly number[];
}

interface TrainedModel {
  readonly inputShape: readonly [number, number, number];
  /** value = pixel × scale + offset */
  readonly scale: number;
  readonly offset: number;
  /** Of all layers, in order. */
  readonly classes: readonly string[];
  readonly layers: Readonly<Record<string, TrainedLayer>>;
}

const FILE = fileURLToPath(new URL('./golden/trained/trained.json', import.meta.url));
const GOLDEN = JSON.parse(readFileSync(FILE, 'utf8')) as {
  readonly seed: number;
  readonly images: number;
  readonly models: Readonly<Record<string, TrainedModel>>;
};

describe.skipIf(missing(MODELS)).each(Object.entries(GOLDEN.models))(`%s${whyNoShared(MODELS)}`, (path, golden) => {
  const open = () => openModel(join(MODELS, path));

  test('lists the layers that Keras has', async () => {
    const { table } = await open();
    expect(table.layers.map(layer => layer.className)).toEqual(golden.classes);
    expect(table.layers.filter(layer => layer.unsupported !== undefined)).toEqual([]);
    const known = table.layers.map(layer => layer.name);
    expect(Object.keys(golden.layers).filter(name => !known.includes(name))).toEqual([]);
  });

  test.for(['tensorflow', 'wasm'] as const)('gives the numbers of tf_keras on %s', async (name, context) => {
    const lack = name === 'tensorflow' ? whyNot('tensorflow') : undefined;
    if (lack !== undefined) return context.skip(lack);
    const model = await open();
    expect(enginesFor(model.format)).toContain(name);
    const layers = Object.keys(golden.layers);
    const { inputShape } = golden;
    const extractor = await (await openEngine(name)).load({ model: model.path, layers, inputShape });
    try {
      const tensors = await extractor.run(inputOf(golden));
      for (const [index, layer] of layers.entries()) {
        expect(differenceOf(tensors[index], golden.layers[layer]), layer).toBeLessThanOrEqual(LARGEST_RELATIVE);
      }
    } finally {
      await extractor.close();
    }
  });
});

test.skipIf(missing(MODELS))(
  `an ImageNet head of 1,000 classes takes the recipe of its architecture; another one is refused${whyNoShared(MODELS)}`,
  async () => {
    const imageNet = await openModel(join(MODELS, 'keras-h5/mbnet128_0.25.h5'));
    const chosen = await chooseRecipe({}, imageNet);
    expect(chosen.origin).toBe('architecture');
    expect(chosen.recipe).toMatchObject({ width: 128, height: 128, scale: 1 / 127.5, mean: [1] });
    const cifar = await openModel(join(MODELS, 'keras-h5/pretrainedResnet.h5'));
    await expect(chooseRecipe({}, cifar)).rejects.toThrow(/--recipe|--scale/);
  },
);

function inputOf({ inputShape, scale, offset }: TrainedModel): TensorData {
  const [height, width, channels] = inputShape;
  const pixels = drawImages(GOLDEN.images, height, width, GOLDEN.seed);
  const data = new Float32Array((pixels.length / 3) * channels);
  const [factor, shift] = [Math.fround(scale), Math.fround(offset)];
  for (let i = 0; i < data.length; i++) {
    const pixel = pixels[3 * Math.floor(i / channels) + (i % channels)] ?? 0;
    data[i] = Math.fround(pixel * factor) + shift;
  }
  return { dtype: 'float32', shape: [GOLDEN.images, ...inputShape], data };
}

/** The largest difference of the samples, as a part of the layer's largest value. */
function differenceOf(tensor: TensorData | undefined, layer: TrainedLayer | undefined): number {
  if (tensor === undefined || layer === undefined || String(tensor.shape) !== String(layer.shape)) {
    throw new Error(`Expected shape [${layer?.shape.join(', ')}] but received [${tensor?.shape.join(', ')}]`);
  }
  const differences = layer.samples.map((value, i) => Math.abs((tensor.data[i * layer.step] ?? Number.NaN) - value));
  return Math.max(...differences) / layer.largest;
}
