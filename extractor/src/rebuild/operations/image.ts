// Operations on images: resizing, pooling, blocks of pixels as channels.
import type * as tf from '@tensorflow/tfjs';
import type { Tfjs } from '../../tfjs.ts';
import type { Shape } from '../layer-definition.ts';
import { resizeAs } from '../resizing.ts';
import type { Operation, Operations, OperationValues } from './operation.ts';

const resize: Operation = {
  parameters: ['images', 'size'],
  shapes: values => {
    const [batch = null, , , channels = null] = values.tensor('images').shape;
    const [height = null, width = null] = values.sizes('size') ?? [];
    return [[batch, height, width, channels]];
  },
  compute: (tf, values) => resizeAs(tf, values.tensor('images') as tf.Tensor4D, sizeOf(values), values.settings()),
};

/** TensorFlow 1's, which puts pixels at their corners unless told otherwise. */
const resizeV1: Operation = {
  parameters: ['images', 'size', 'align_corners', 'half_pixel_centers'],
  shapes: resize.shapes,
  compute: (tf, values) => {
    const [height, width] = sizeOf(values);
    const x = values.tensor('images') as tf.Tensor4D;
    const corners = values.boolean('align_corners', false);
    const centres = values.boolean('half_pixel_centers', false);
    return values.text('interpolation', 'bilinear') === 'nearest'
      ? tf.image.resizeNearestNeighbor(x, [height, width], corners, centres)
      : tf.image.resizeBilinear(x, [height, width], corners, centres);
  },
};

type Pool = (
  tf: Tfjs,
  x: tf.Tensor4D,
  window: [number, number],
  strides: [number, number],
  pad: 'same' | 'valid',
) => tf.Tensor;

function pooling(pool: Pool): Operation {
  return {
    parameters: ['inputs', 'pool_size', 'strides', 'padding', 'data_format'],
    shapes: values => {
      const { window, strides, padding } = poolOf(values);
      const [batch = null, rows = null, columns = null, channels = null] = values.tensor('inputs').shape;
      const along = (size: number | null, axis: 0 | 1): number | null => {
        if (size === null) return null;
        return Math.ceil((padding === 'same' ? size : size - window[axis] + 1) / strides[axis]);
      };
      return [[batch, along(rows, 0), along(columns, 1), channels]];
    },
    compute: (tf, values) => {
      const { window, strides, padding } = poolOf(values);
      return pool(tf, values.tensor('inputs') as tf.Tensor4D, window, strides, padding);
    },
  };
}

const depthToSpace: Operation = {
  parameters: ['x', 'block_size'],
  shapes: values => {
    const [batch = null, rows = null, columns = null, channels = null] = values.tensor('x').shape;
    const block = values.number('block_size', 1);
    const times = (size: number | null, factor: number): number | null => (size === null ? null : size * factor);
    return [[batch, times(rows, block), times(columns, block), times(channels, 1 / (block * block))]];
  },
  compute: (tf, values) => tf.depthToSpace(values.tensor('x') as tf.Tensor4D, values.number('block_size', 1)),
};

export const IMAGE_OPERATIONS: Operations = {
  Resize: resize,
  ResizeV1: resizeV1,
  MaxPool: pooling((tf, x, window, strides, pad) => tf.maxPool(x, window, strides, pad)),
  AveragePool: pooling((tf, x, window, strides, pad) => tf.avgPool(x, window, strides, pad)),
  DepthToSpace: depthToSpace,
};

interface PoolSettings {
  readonly window: [number, number];
  readonly strides: [number, number];
  readonly padding: 'same' | 'valid';
}

function poolOf<T extends { readonly shape: Shape }>(values: OperationValues<T>): PoolSettings {
  const window = bothAxes(values.axes('pool_size') ?? [1]);
  const strides = values.axes('strides');
  const padding = values.text('padding', 'valid').toLowerCase() === 'same' ? 'same' : 'valid';
  return { window, strides: strides === undefined ? window : bothAxes(strides), padding };
}

/** TensorFlow may name batch and channels too. */
function bothAxes(sizes: readonly number[]): [number, number] {
  const [first = 1, second = first] = sizes.length === 4 ? sizes.slice(1, 3) : sizes;
  return [first, second];
}

function sizeOf<T extends { readonly shape: Shape }>(values: OperationValues<T>): [number, number] {
  const [height, width] = values.sizes('size') ?? [];
  if (typeof height === 'number' && typeof width === 'number') return [height, width];
  throw new Error('Expected height and width');
}
