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

const KERAS_LAYERS: LayerDefinitions = {
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

/** Classes that keras.applications registers for saving, as Keras 2 then writes them. */
const REGISTERED = ['CustomScaleLayer', 'LayerScale', 'StochasticDepth'] as const;

export const LAYER_DEFINITIONS: LayerDefinitions = {
  ...KERAS_LAYERS,
  ...Object.fromEntries(
    REGISTERED.flatMap(name => {
      const definition = KERAS_LAYERS[name];
      return definition === undefined ? [] : [[`Custom>${name}`, definition]];
    }),
  ),
};
