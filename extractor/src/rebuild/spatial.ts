// Pooling over everything, padding, cropping and repeating along spatial axes: what TensorFlow.js' own layers leave out.
import type * as tf from '@tensorflow/tfjs';
import type { JsonObject } from '../layer-graph.ts';
import type { Tfjs } from '../tfjs.ts';
import { booleanIn, pairsPerAxis, perAxis, textIn } from './config-values.ts';
import { type LayerDefinition, type LayerDefinitions, onlyInput, type Shape } from './layer-definition.ts';
import { paddedShape, reducedShape } from './shapes.ts';

type Pair = readonly [number, number];

export const SPATIAL_LAYERS: LayerDefinitions = {
  GlobalAveragePooling1D: globalPooling((tf, x, axes, keep) => tf.mean(x, axes, keep)),
  GlobalAveragePooling2D: globalPooling((tf, x, axes, keep) => tf.mean(x, axes, keep)),
  GlobalAveragePooling3D: globalPooling((tf, x, axes, keep) => tf.mean(x, axes, keep)),
  GlobalMaxPooling1D: globalPooling((tf, x, axes, keep) => tf.max(x, axes, keep)),
  GlobalMaxPooling2D: globalPooling((tf, x, axes, keep) => tf.max(x, axes, keep)),
  GlobalMaxPooling3D: globalPooling((tf, x, axes, keep) => tf.max(x, axes, keep)),
  MaxPooling3D: maxPooling3D(),
  ZeroPadding1D: padding(1),
  ZeroPadding2D: padding(2),
  ZeroPadding3D: padding(3),
  Cropping1D: cropping(1),
  Cropping2D: cropping(2),
  Cropping3D: cropping(3),
  UpSampling1D: repetition(1),
  UpSampling3D: repetition(3),
};

function globalPooling(reduce: (tf: Tfjs, x: tf.Tensor, axes: number[], keep: boolean) => tf.Tensor): LayerDefinition {
  const spatial = (rank: number): number[] => Array.from({ length: rank - 2 }, (_, axis) => axis + 1);
  const keeps = (config: JsonObject): boolean => booleanIn(config, 'keepdims', false);
  return {
    outputShapes: ({ config }, inputs) => {
      const input = onlyInput(inputs);
      return [reducedShape(input, spatial(input.length), keeps(config) ? 'keep' : 'drop')];
    },
    call: ({ tf, settings, inputs }) => {
      const x = onlyInput(inputs);
      return reduce(tf, x, spatial(x.rank), keeps(settings.config));
    },
  };
}

/** By two poolings of images: wasm's own pooling of volumes takes everything below zero for zero. */
function maxPooling3D(): LayerDefinition {
  const geometry = (config: JsonObject): { window: readonly number[]; strides: readonly number[]; same: boolean } => {
    const window = perAxis(config, 'pool_size', 3, 2);
    const strides = config.strides === null ? window : perAxis(config, 'strides', 3, 2);
    return { window, strides, same: textIn(config, 'padding', 'valid') === 'same' };
  };
  return {
    outputShapes: ({ config }, inputs) => {
      const { window, strides, same } = geometry(config);
      const [batch = null, ...rest] = onlyInput(inputs);
      const along = (size: number | null, axis: number): number | null =>
        size === null ? null : Math.ceil((same ? size : size - (window[axis] ?? 1) + 1) / (strides[axis] ?? 1));
      return [[batch, ...rest.slice(0, 3).map(along), rest[3] ?? null]];
    },
    call: ({ tf, settings, inputs }) => {
      const x = onlyInput(inputs);
      const { window, strides, same } = geometry(settings.config);
      const [batch, depth, height, width, channels] = x.shape as [number, number, number, number, number];
      const [deep = 1, tall = 1, wide = 1] = window;
      const [stepDeep = 1, stepTall = 1, stepWide = 1] = strides;
      const pad = same ? 'same' : 'valid';
      const slices = x.reshape([batch * depth, height, width, channels]) as tf.Tensor4D;
      const flat = tf.maxPool(slices, [tall, wide], [stepTall, stepWide], pad);
      const [, rows, columns] = flat.shape;
      const stacked = flat.reshape([batch, depth, rows * columns, channels]) as tf.Tensor4D;
      const pooled = tf.maxPool(stacked, [deep, 1], [stepDeep, 1], pad);
      return pooled.reshape([batch, pooled.shape[1], rows, columns, channels]);
    },
  };
}

function padding(rank: number): LayerDefinition {
  const pads = (config: JsonObject): Pair[] => [[0, 0], ...pairsPerAxis(config, 'padding', rank), [0, 0]];
  return {
    outputShapes: ({ config }, inputs) => [paddedShape(onlyInput(inputs), pads(config))],
    call: ({ tf, settings, inputs }) =>
      tf.pad(
        onlyInput(inputs),
        pads(settings.config).map(([a, b]) => [a, b]),
      ),
  };
}

function cropping(rank: number): LayerDefinition {
  const crops = (config: JsonObject): Pair[] => [[0, 0], ...pairsPerAxis(config, 'cropping', rank), [0, 0]];
  return {
    outputShapes: ({ config }, inputs) => [
      paddedShape(
        onlyInput(inputs),
        crops(config).map(([before, after]): Pair => [-before, -after]),
      ),
    ],
    call: ({ tf, settings, inputs }) => {
      const x = onlyInput(inputs);
      const cut = crops(settings.config);
      const sizes = x.shape.map((size, axis) => size - (cut[axis]?.[0] ?? 0) - (cut[axis]?.[1] ?? 0));
      return tf.slice(
        x,
        cut.map(([before]) => before),
        sizes,
      );
    },
  };
}

/** Each value `size` times along its axis. */
function repetition(rank: number): LayerDefinition {
  const times = (config: JsonObject, shape: Shape): Shape => {
    const factors = perAxis(config, 'size', rank, 2);
    return shape.map((size, axis) => (size === null ? null : size * (factors[axis - 1] ?? 1)));
  };
  return {
    outputShapes: ({ config }, inputs) => [times(config, onlyInput(inputs))],
    call: ({ tf, settings, inputs }) => {
      const factors = perAxis(settings.config, 'size', rank, 2);
      return factors.reduce((x: tf.Tensor, factor, axis) => repeat(tf, x, factor, axis + 1), onlyInput(inputs));
    },
  };
}

/** As numpy.repeat with one count. */
export function repeat(tf: Tfjs, x: tf.Tensor, count: number, axis: number): tf.Tensor {
  if (count === 1) return x;
  const tiled = tf.tile(
    x.expandDims(axis + 1),
    [...x.shape.map(() => 1), 1].map((one, at) => (at === axis + 1 ? count : one)),
  );
  return tiled.reshape(x.shape.map((size, at) => (at === axis ? size * count : size)));
}
