// The demo model before training: a small convolutional network whose layers have telling names. For train.ts.
import type * as tf from '@tensorflow/tfjs';
import { tfjs } from '../../extractor/src/tfjs.ts';
import { Recipe } from '../../shared/src/recipe.ts';

/** What the demo model is fed; stored beside it as its sidecar. Pixels become −1 … 1. */
export const DEMO_RECIPE: Recipe = Recipe.parse({
  width: 64,
  height: 64,
  resize: 'bilinear',
  channels: 'rgb',
  scale: 1 / 127.5,
  mean: 1,
  std: 1,
});

/** The layer whose outputs are compared: one number per learnt pattern, wherever in the image it stands. */
export const FEATURE_LAYER = 'features';

/** @param seed of the initial weights */
export function createNetwork(classes: number, seed: number): tf.LayersModel {
  const { initializers, input, layers, model } = tfjs();
  const image = input({ shape: [DEMO_RECIPE.height, DEMO_RECIPE.width, 3], name: 'image' });
  const first = convolve(image, 1, 16, seed);
  const second = convolve(pool(first, 1), 2, 32, seed);
  const third = convolve(pool(second, 2), 3, 64, seed);
  const fourth = convolve(pool(third, 3), 4, 96, seed);
  const features = layers.globalAveragePooling2d({ name: FEATURE_LAYER }).apply(fourth);
  const kernelInitializer = initializers.glorotUniform({ seed });
  const predictions = layers
    .dense({ name: 'predictions', units: classes, activation: 'softmax', kernelInitializer })
    .apply(features) as tf.SymbolicTensor;
  return model({ inputs: image, outputs: predictions, name: 'shapes' });
}

function convolve(input: tf.SymbolicTensor, stage: number, filters: number, seed: number): tf.SymbolicTensor {
  const { initializers, layers } = tfjs();
  const convolution = layers.conv2d({
    name: `conv${stage}`,
    filters,
    kernelSize: 3,
    padding: 'same',
    useBias: false,
    kernelInitializer: initializers.heNormal({ seed: seed + stage }),
  });
  // Normalisation halves the epochs; with its usual momentum, 0.99, its averages would lag behind so short a training.
  const norm = layers.batchNormalization({ name: `norm${stage}`, momentum: 0.9 });
  return layers.reLU({ name: `relu${stage}` }).apply(norm.apply(convolution.apply(input))) as tf.SymbolicTensor;
}

function pool(input: tf.SymbolicTensor, stage: number): tf.SymbolicTensor {
  return tfjs()
    .layers.maxPooling2d({ name: `pool${stage}`, poolSize: 2 })
    .apply(input) as tf.SymbolicTensor;
}
