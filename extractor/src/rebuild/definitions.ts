// Every layer class that TensorFlow.js lacks or computes differently, by Keras' class name.
import { ACTIVATION_LAYERS } from './activation-layers.ts';
import { ATTENTION_LAYERS } from './attention.ts';
import { CONVOLUTION_LAYERS } from './convolution.ts';
import { CORE_LAYERS } from './core-layers.ts';
import { DENSE_LAYERS } from './dense.ts';
import type { LayerDefinitions } from './layer-definition.ts';
import { MERGING_LAYERS } from './merging.ts';
import { NORMALIZATION_LAYERS } from './normalization.ts';
import { OPERATION_LAYERS } from './operations/operation-layers.ts';
import { RESIZING_LAYERS } from './resizing.ts';
import { SPATIAL_LAYERS } from './spatial.ts';

export const LAYER_DEFINITIONS: LayerDefinitions = {
  ...ACTIVATION_LAYERS,
  ...ATTENTION_LAYERS,
  ...CONVOLUTION_LAYERS,
  ...CORE_LAYERS,
  ...DENSE_LAYERS,
  ...MERGING_LAYERS,
  ...NORMALIZATION_LAYERS,
  ...OPERATION_LAYERS,
  ...RESIZING_LAYERS,
  ...SPATIAL_LAYERS,
};
