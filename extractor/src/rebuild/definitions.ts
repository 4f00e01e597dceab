// Every layer class that TensorFlow.js lacks or computes differently, by Keras' class name.

import { ACTIVATION_LAYERS } from './activation-layers.ts';
import { CONVOLUTION_LAYERS } from './convolution.ts';
import { CORE_LAYERS } from './core-layers.ts';
import { DENSE_LAYERS } from './dense.ts';
import type { LayerDefinitions } from './layer-definition.ts';
import { NORMALIZATION_LAYERS } from './normalization.ts';

export const LAYER_DEFINITIONS: LayerDefinitions = {
  ...ACTIVATION_LAYERS,
  ...CONVOLUTION_LAYERS,
  ...CORE_LAYERS,
  ...DENSE_LAYERS,
  ...NORMALIZATION_LAYERS,
};
