// Normalisation layers, by the formulas of keras/src/layers/normalization and keras/src/ops/nn.py.
import type * as tf from '@tensorflow/tfjs';
import type { JsonObject } from '../layer-graph.ts';
import type { Tfjs } from '../tfjs.ts';
import { booleanIn, numberIn, numbersOf } from './config-values.ts';
import {
  fromStart,
  type LayerCallContext,
  type LayerDefinition,
  type LayerDefinitions,
  type LayerSettings,
  onlyInput,
  requireAxis,
  type Shape,
} from './layer-definition.ts';

const sameShape: LayerDefinition['outputShapes'] = (_, inputs) => [onlyInput(inputs)];

const layerNormalization: LayerDefinition = {
  weightNames: ({ config }) => [...(hasGamma(config) ? ['gamma'] : []), ...(hasBeta(config) ? ['beta'] : [])],
  weightShapes: ({ config }, inputs) => {
    const input = onlyInput(inputs);
    const shape = normalizedAxes(config, input.length).map(axis => requireAxis(input, axis));
    return [shape, shape];
  },
  outputShapes: sameShape,
  call: ({ tf, settings: { config }, inputs, weights }) => {
    const x = onlyInput(inputs);
    const axes = normalizedAxes(config, x.rank);
    const centred = tf.sub(x, tf.mean(x, axes, true));
    const scale = inverseDeviation(tf, tf.mean(tf.square(centred), axes, true), numberIn(config, 'epsilon', 1e-3));
    const names = layerNormalization.weightNames?.({ config } as LayerSettings) ?? [];
    const gamma = weightNamed(names, weights, 'gamma');
    const beta = weightNamed(names, weights, 'beta');
    // RMS scaling divides by the standard deviation without centring: Keras' own (deprecated) reading of it.
    let y = tf.mul(booleanIn(config, 'rms_scaling', false) ? x : centred, scale);
    if (gamma !== undefined) y = tf.mul(y, alongAxes(gamma, x.shape, axes));
    if (beta !== undefined) y = tf.add(y, alongAxes(beta, x.shape, axes));
    return y;
  },
};

const groupNormalization: LayerDefinition = {
  weightNames: gammaAndBeta,
  weightShapes: ({ config }, inputs) => {
    const size = requireAxis(onlyInput(inputs), numberIn(config, 'axis', -1));
    return [[size], [size]];
  },
  outputShapes: sameShape,
  call: ({ tf, settings, inputs, weights }) => {
    const { config } = settings;
    const x = onlyInput(inputs);
    const axis = fromStart(numberIn(config, 'axis', -1), x.rank);
    const channels = requireAxis(x.shape, axis);
    const given = numberIn(config, 'groups', 32);
    const groups = given === -1 ? channels : given;
    const grouped = [...x.shape.slice(0, axis), groups, channels / groups, ...x.shape.slice(axis + 1)];
    const values = tf.reshape(x, grouped);
    const axes = grouped.map((_, index) => index).filter(index => index !== 0 && index !== axis);
    const centred = tf.sub(values, tf.mean(values, axes, true));
    const scale = inverseDeviation(tf, tf.mean(tf.square(centred), axes, true), numberIn(config, 'epsilon', 1e-3));
    const names = gammaAndBeta(settings);
    const gamma = weightNamed(names, weights, 'gamma');
    const beta = weightNamed(names, weights, 'beta');
    let y = tf.reshape(tf.mul(centred, scale), x.shape);
    if (gamma !== undefined) y = tf.mul(y, alongAxes(gamma, x.shape, [axis]));
    if (beta !== undefined) y = tf.add(y, alongAxes(beta, x.shape, [axis]));
    return y;
  },
};

/** Along any axis, in any rank, with or without gamma and beta. */
const batchNormalization: LayerDefinition = {
  weightNames: settings => [...gammaAndBeta(settings), 'moving_mean', 'moving_variance'],
  weightShapes: ({ config }, inputs) => {
    const input = onlyInput(inputs);
    const shape = normalizedAxes(config, input.length).map(axis => requireAxis(input, axis));
    return [...gammaAndBeta({ config } as LayerSettings), 'moving_mean', 'moving_variance'].map(() => shape);
  },
  frozen: ['moving_mean', 'moving_variance'],
  outputShapes: sameShape,
  call: context => {
    const { tf, settings, inputs, weights } = context;
    const x = onlyInput(inputs);
    const axes = normalizedAxes(settings.config, x.rank);
    const names = gammaAndBeta(settings);
    const along = (weight: tf.Tensor | undefined): tf.Tensor | undefined =>
      weight === undefined ? undefined : alongAxes(weight, x.shape, axes);
    const { mean, variance } = batchStatistics(context, x, axes);
    const [gamma, beta] = ['gamma', 'beta'].map(name => along(weightNamed(names, weights, name)));
    const epsilon = numberIn(settings.config, 'epsilon', 1e-3);
    const last = axes.length === 1 && axes[0] === x.rank - 1;
    if (last && x.rank <= 4) {
      // Its gradient wants a gamma.
      const scale = gamma ?? (context.training ? tf.onesLike(mean) : undefined);
      return tf.batchNorm(x, mean as tf.Tensor1D, variance as tf.Tensor1D, beta, scale, epsilon);
    }
    const deviation = inverseDeviation(tf, alongAxes(variance, x.shape, axes), epsilon);
    const scale = gamma === undefined ? deviation : tf.mul(deviation, gamma);
    const y = tf.mul(tf.sub(x, alongAxes(mean, x.shape, axes)), scale);
    return beta === undefined ? y : tf.add(y, beta);
  },
};

/** The moving statistics; while training those of the batch, which move the others. */
function batchStatistics(
  { tf, settings, weights, training, assign }: LayerCallContext,
  x: tf.Tensor,
  axes: readonly number[],
): { readonly mean: tf.Tensor; readonly variance: tf.Tensor } {
  const place = weights.length - 2;
  const [movingMean, movingVariance] = weights.slice(place);
  if (movingMean === undefined || movingVariance === undefined) throw new Error('Expected moving statistics');
  if (!training) return { mean: movingMean, variance: movingVariance };
  const others = x.shape.map((_, axis) => axis).filter(axis => !axes.includes(axis));
  const { mean, variance } = tf.moments(x, others);
  const momentum = numberIn(settings.config, 'momentum', 0.99);
  assign(place, tf.add(tf.mul(movingMean, momentum), tf.mul(mean, 1 - momentum)));
  assign(place + 1, tf.add(tf.mul(movingVariance, momentum), tf.mul(variance, 1 - momentum)));
  return { mean, variance };
}

const rmsNormalization: LayerDefinition = {
  weightNames: () => ['scale'],
  weightShapes: ({ config }, inputs) => {
    const input = onlyInput(inputs);
    return [normalizedAxes(config, input.length).map(axis => requireAxis(input, axis))];
  },
  outputShapes: sameShape,
  call: ({ tf, settings: { config }, inputs, weights }) => {
    const x = onlyInput(inputs);
    const axes = normalizedAxes(config, x.rank);
    const scale = inverseDeviation(tf, tf.mean(tf.square(x), axes, true), numberIn(config, 'epsilon', 1e-6));
    return tf.mul(tf.mul(x, scale), alongAxes(onlyInput(weights), x.shape, axes));
  },
};

const unitNormalization: LayerDefinition = {
  outputShapes: sameShape,
  call: ({ tf, settings: { config }, inputs }) => {
    const x = onlyInput(inputs);
    return normalize(tf, x, normalizedAxes(config, x.rank), 1e-12);
  },
};

/** (x − mean) ÷ √variance, with statistics from the config or adapted ones in the weights. */
const normalization: LayerDefinition = {
  weightNames: ({ config }) => (isAdapted(config) ? ['mean', 'variance', 'count'] : []),
  weightShapes: ({ config }, inputs) => {
    const input = onlyInput(inputs);
    const shape = keptAxes(config, input.length).map(axis => requireAxis(input, axis));
    return [shape, shape, []];
  },
  frozen: ['mean', 'variance', 'count'],
  outputShapes: sameShape,
  call: ({ tf, settings: { config }, inputs, weights }) => {
    const x = tf.cast(onlyInput(inputs), 'float32');
    const axes = keptAxes(config, x.rank);
    const mean = isAdapted(config) ? weights[0] : statistic(tf, config, 'mean');
    const variance = isAdapted(config) ? weights[1] : statistic(tf, config, 'variance');
    if (mean === undefined || variance === undefined) throw new Error('Expected mean and variance');
    const shift = broadcastKept(mean, x.shape, axes);
    // Keras' own lower bound of the deviation is its epsilon.
    const deviation = tf.maximum(tf.sqrt(broadcastKept(variance, x.shape, axes)), 1e-7);
    if (booleanIn(config, 'invert', false)) return tf.add(tf.mul(x, deviation), shift);
    return tf.div(tf.sub(x, shift), deviation);
  },
};

export const NORMALIZATION_LAYERS: LayerDefinitions = {
  LayerNormalization: layerNormalization,
  GroupNormalization: groupNormalization,
  BatchNormalization: batchNormalization,
  RMSNormalization: rmsNormalization,
  UnitNormalization: unitNormalization,
  Normalization: normalization,
};

/** x ÷ its Euclidean length, which counts as no less than `epsilon`. */
export function normalize(tf: Tfjs, x: tf.Tensor, axes: readonly number[], epsilon: number): tf.Tensor {
  const square = tf.sum(tf.square(x), [...axes], true);
  return tf.mul(x, tf.rsqrt(tf.maximum(square, epsilon * epsilon)));
}

function inverseDeviation(tf: Tfjs, variance: tf.Tensor, epsilon: number): tf.Tensor {
  return tf.rsqrt(tf.add(variance, epsilon));
}

function gammaAndBeta({ config }: LayerSettings): readonly string[] {
  return [
    ...(booleanIn(config, 'scale', true) ? ['gamma'] : []),
    ...(booleanIn(config, 'center', true) ? ['beta'] : []),
  ];
}

function hasGamma(config: JsonObject): boolean {
  return booleanIn(config, 'scale', true) || booleanIn(config, 'rms_scaling', false);
}

function hasBeta(config: JsonObject): boolean {
  return booleanIn(config, 'center', true) && !booleanIn(config, 'rms_scaling', false);
}

function weightNamed(names: readonly string[], weights: readonly tf.Tensor[], name: string): tf.Tensor | undefined {
  const index = names.indexOf(name);
  return index < 0 ? undefined : weights[index];
}

function normalizedAxes(config: JsonObject, rank: number): number[] {
  return (numbersOf(config.axis) ?? [-1]).map(axis => fromStart(axis, rank)).sort((a, b) => a - b);
}

/** Null means one mean and one variance for everything. */
function keptAxes(config: JsonObject, rank: number): number[] {
  return config.axis === null ? [] : normalizedAxes(config, rank);
}

function isAdapted(config: JsonObject): boolean {
  return config.mean === null || config.mean === undefined;
}

function statistic(tf: Tfjs, config: JsonObject, field: string): tf.Tensor {
  const value = config[field];
  return tf.tensor((typeof value === 'number' ? value : (value ?? 0)) as number | number[], undefined, 'float32');
}

/** A tensor with one size per axis, in a shape that broadcasts against `shape`. */
function alongAxes(weight: tf.Tensor, shape: Shape, axes: readonly number[]): tf.Tensor {
  // The last axes broadcast by themselves.
  if (axes.every((axis, index) => axis === shape.length - axes.length + index)) return weight;
  return weight.reshape(shape.map((_, axis) => (axes.includes(axis) ? requireAxis(shape, axis) : 1)));
}

/** Aligned from the right with the kept axes: a scalar or a shorter list stands for all of the others. */
function broadcastKept(value: tf.Tensor, shape: Shape, axes: readonly number[]): tf.Tensor {
  const sizes = [...value.shape];
  // Keras 2 writes mean and variance in a shape that already broadcasts.
  if (sizes.length === shape.length) return value;
  const target = shape.map(() => 1);
  for (const axis of [...axes].reverse()) target[axis] = sizes.pop() ?? 1;
  return value.reshape(target);
}
