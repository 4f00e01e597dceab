// Every layer class that TensorFlow.js lacks or computes differently, by Keras' class name.
import type { LayerDefinitions } from './layer-definition.ts';
import { NORMALIZATION_LAYERS } from './normalization.ts';

export const LAYER_DEFINITIONS: LayerDefinitions = {
  ...NORMALIZATION_LAYERS,
};
