// Pooling over everything, padding, cropping and repeating along spatial axes: what TensorFlow.js' own layers leave out.
import type * as tf from '@tensorflow/tfjs';
import type { JsonObject } from '../layer-graph.ts';
import type { Tfjs } from '../tfjs.ts';
import { booleanIn, pairsPerAxis, perAxis } from './config-values.ts';
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

/** With padding `same`: by values that never are the largest. */
function maxPooling3D(): LayerDefinition {
  const geometry = (config: JsonObject): { window: readonly number[]; strides: readonly number[] } => {
    const window = perAxis(config, 'pool_size', 3, 2);
    return { window, strides: config.strides === null ? window : perAxis(config, 'strides', 3, 2) };
  };
  return {
    outputShapes: ({ config }, inputs) => {
      const { strides } = geometry(config);
      const shape = onlyInput(inputs);
      const along = (size: number | null, axis: number): number | null =>
        size === null ? null : Math.ceil(size / (strides[axis - 1] ?? 1));
      return [shape.map((size, axis) => (axis === 0 || axis === 4 ? size : along(size, axis)))];
    },
    call: ({ tf, settings, inputs }) => {
      const x = onlyInput(inputs);
      const { window, strides } = geometry(settings.config);
      const pads = x.shape.map((size, axis): [number, number] => {
        const [length = 1, step = 1] = axis === 0 || axis === 4 ? [] : [window[axis - 1], strides[axis - 1]];
        const missing = Math.max((Math.ceil(size / step) - 1) * step + length - size, 0);
        return [Math.floor(missing / 2), missing - Math.floor(missing / 2)];
      });
      const padded = tf.pad(x, pads, -3.4e38) as tf.Tensor5D;
      return tf.maxPool3d(padded, triple(window), triple(strides), 'valid');
    },
  };
}

function triple([depth = 1, height = 1, width = 1]: readonly number[]): [number, number, number] {
  return [depth, height, width];
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
