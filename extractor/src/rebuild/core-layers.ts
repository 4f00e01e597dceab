// Small layers: scaling, the ConvNeXt blocks' own two, and those that do nothing at inference.
import type * as tf from '@tensorflow/tfjs';
import type { Json, JsonObject } from '../layer-graph.ts';
import type { Tfjs } from '../tfjs.ts';
import { flatConstant, numberIn } from './config-values.ts';
import { type LayerDefinition, type LayerDefinitions, onlyInput } from './layer-definition.ts';

const sameShape: LayerDefinition['outputShapes'] = (_, inputs) => [onlyInput(inputs)];
const identity: LayerDefinition = { outputShapes: sameShape, call: ({ inputs }) => onlyInput(inputs) };

/** Drops the whole residual path of some samples while training (keras/src/applications/convnext.py). */
const stochasticDepth: LayerDefinition = {
  outputShapes: sameShape,
  call: ({ tf, settings, inputs, training }) => {
    const x = onlyInput(inputs);
    const rate = numberIn(settings.config, 'drop_path_rate', 0);
    return training && rate > 0
      ? tf.dropout(
          x,
          rate,
          x.shape.map((size, axis) => (axis === 0 ? size : 1)),
        )
      : x;
  },
};

/** Drops whole channels. */
const spatialDropout: LayerDefinition = {
  outputShapes: sameShape,
  call: ({ tf, settings, inputs, training }) => {
    const x = onlyInput(inputs);
    const kept = x.shape.map((size, axis) => (axis === 0 || axis === x.rank - 1 ? size : 1));
    return training ? tf.dropout(x, numberIn(settings.config, 'rate', 0), kept) : x;
  },
};

const layerScale: LayerDefinition = {
  weightNames: () => ['gamma'],
  weightShapes: ({ config }) => [[numberIn(config, 'projection_dim', 1)]],
  outputShapes: sameShape,
  call: ({ tf, inputs, weights }) => tf.mul(onlyInput(inputs), onlyInput(weights)),
};

const rescaling: LayerDefinition = {
  outputShapes: sameShape,
  call: ({ tf, settings: { config }, inputs }) => {
    const scaled = tf.mul(tf.cast(onlyInput(inputs), 'float32'), constantIn(tf, config, 'scale', 1));
    return isZero(config.offset) ? scaled : tf.add(scaled, constantIn(tf, config, 'offset', 0));
  },
};

/** Layers of keras.layers that change their input only while training. */
const IDENTITIES = [
  'Identity',
  'ActivityRegularization',
  'AugMix',
  'CutMix',
  'MixUp',
  'RandAugment',
  'RandomBrightness',
  'RandomColorDegeneration',
  'RandomColorJitter',
  'RandomContrast',
  'RandomElasticTransform',
  'RandomErasing',
  'RandomFlip',
  'RandomGaussianBlur',
  'RandomGrayscale',
  'RandomHeight',
  'RandomHue',
  'RandomInvert',
  'RandomPerspective',
  'RandomPosterization',
  'RandomRotation',
  'RandomSaturation',
  'RandomSharpness',
  'RandomShear',
  'RandomTranslation',
  'RandomWidth',
  'RandomZoom',
] as const;

export const CORE_LAYERS: LayerDefinitions = {
  ...Object.fromEntries(IDENTITIES.map(name => [name, identity])),
  StochasticDepth: stochasticDepth,
  SpatialDropout2D: spatialDropout,
  SpatialDropout3D: spatialDropout,
  LayerScale: layerScale,
  Rescaling: rescaling,
};

function constantIn(tf: Tfjs, config: JsonObject, field: string, fallback: number): tf.Tensor | number {
  const value = config[field];
  if (typeof value === 'number') return value;
  if (value === null || value === undefined) return fallback;
  const { shape, values } = flatConstant(value);
  return tf.tensor([...values], [...shape], 'float32');
}

function isZero(value: Json | undefined): boolean {
  return value === 0 || value === null || value === undefined;
}
