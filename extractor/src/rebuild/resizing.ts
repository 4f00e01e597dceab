// Resizing, CenterCrop, RandomCrop at inference, UpSampling2D: TensorFlow's image resizing with Keras' ways of keeping the aspect.
import type * as tf from '@tensorflow/tfjs';
import type { JsonObject } from '../layer-graph.ts';
import type { Tfjs } from '../tfjs.ts';
import { booleanIn, numberIn, perAxis, textIn } from './config-values.ts';
import { type LayerDefinition, type LayerDefinitions, onlyInput, type Shape } from './layer-definition.ts';
import { RESAMPLING_METHODS, resample } from './resampling.ts';

type Size = readonly [number, number];

const resizing: LayerDefinition = {
  outputShapes: ({ config }, inputs) => [withSize(onlyInput(inputs), sizeOf(config))],
  unsupported: ({ config }) => unknownMethod(config),
  call: ({ tf, settings: { config }, inputs }) => resizeAs(tf, imageOf(inputs), sizeOf(config), config),
};

const centerCrop: LayerDefinition = {
  outputShapes: ({ config }, inputs) => [withSize(onlyInput(inputs), sizeOf(config))],
  call: ({ tf, settings: { config }, inputs }) => {
    const x = imageOf(inputs);
    const [height, width] = sizeOf(config);
    const [, rows, columns] = x.shape;
    // A smaller image is resized, keeping its aspect.
    if (rows < height || columns < width) return smartResize(tf, x, [height, width], 'bilinear', false);
    return cut(tf, x, Math.floor((rows - height) / 2), Math.floor((columns - width) / 2), [height, width]);
  },
};

/** Keras 2 resizes at inference; Keras 3 leaves the image as it is. */
const randomCrop: LayerDefinition = {
  outputShapes: ({ config, dialect }, inputs) => [
    dialect === 2 ? withSize(onlyInput(inputs), sizeOf(config)) : onlyInput(inputs),
  ],
  call: ({ tf, settings: { config, dialect }, inputs }) =>
    dialect === 2 ? smartResize(tf, imageOf(inputs), sizeOf(config), 'bilinear', false) : imageOf(inputs),
};

const upSampling: LayerDefinition = {
  outputShapes: ({ config }, inputs) => {
    const [batch = null, rows = null, columns = null, channels = null] = onlyInput(inputs);
    const [down = 2, across = 2] = perAxis(config, 'size', 2, 2);
    return [[batch, rows === null ? null : rows * down, columns === null ? null : columns * across, channels]];
  },
  unsupported: ({ config }) => unknownMethod(config),
  call: ({ tf, settings: { config }, inputs }) => {
    const x = imageOf(inputs);
    const [down = 2, across = 2] = perAxis(config, 'size', 2, 2);
    const method = textIn(config, 'interpolation', 'nearest');
    return resample(tf, x, { height: x.shape[1] * down, width: x.shape[2] * across, method, antialias: false });
  },
};

export const RESIZING_LAYERS: LayerDefinitions = {
  Resizing: resizing,
  CenterCrop: centerCrop,
  RandomCrop: randomCrop,
  UpSampling2D: upSampling,
};

/** Keras' `resize` with the fields of `Resizing`: plain, or with the aspect kept by cropping or by padding. */
export function resizeAs(tf: Tfjs, x: tf.Tensor4D, size: Size, config: JsonObject): tf.Tensor4D {
  const method = textIn(config, 'interpolation', 'bilinear').toLowerCase();
  const antialias = booleanIn(config, 'antialias', false);
  if (booleanIn(config, 'crop_to_aspect_ratio', false)) return smartResize(tf, x, size, method, antialias);
  const image = booleanIn(config, 'pad_to_aspect_ratio', false)
    ? padToAspect(tf, x, size, numberIn(config, 'fill_value', 0))
    : x;
  return resample(tf, image, { height: size[0], width: size[1], method, antialias });
}

export function unknownMethod(config: JsonObject): string | undefined {
  const method = textIn(config, 'interpolation', 'bilinear').toLowerCase();
  return RESAMPLING_METHODS.includes(method) ? undefined : `the interpolation '${method}'`;
}

/** The largest centred part of the wanted aspect, resized. */
function smartResize(tf: Tfjs, x: tf.Tensor4D, size: Size, method: string, antialias: boolean): tf.Tensor4D {
  const [height, width] = size;
  const [, rows, columns] = x.shape;
  const cropHeight = Math.max(Math.min(rows, Math.trunc((columns * height) / width)), 1);
  const cropWidth = Math.max(Math.min(columns, Math.trunc((rows * width) / height)), 1);
  const top = Math.trunc((rows - cropHeight) / 2);
  const left = Math.trunc((columns - cropWidth) / 2);
  return resample(tf, cut(tf, x, top, left, [cropHeight, cropWidth]), { height, width, method, antialias });
}

/** As much on both sides, which may leave one pixel less than the aspect asks for. */
function padToAspect(tf: Tfjs, x: tf.Tensor4D, [height, width]: Size, fill: number): tf.Tensor4D {
  const [, rows, columns] = x.shape;
  const tall = Math.max(rows, Math.trunc((columns * height) / width));
  const wide = Math.max(columns, Math.trunc((rows * width) / height));
  const [top, left] = [Math.trunc((tall - rows) / 2), Math.trunc((wide - columns) / 2)];
  if (top === 0 && left === 0) return x;
  return tf.pad(
    x,
    [
      [0, 0],
      [top, top],
      [left, left],
      [0, 0],
    ],
    fill,
  );
}

function cut(tf: Tfjs, x: tf.Tensor4D, top: number, left: number, [height, width]: Size): tf.Tensor4D {
  return tf.slice(x, [0, top, left, 0], [-1, height, width, -1]);
}

function sizeOf(config: JsonObject): Size {
  return [numberIn(config, 'height', 1), numberIn(config, 'width', 1)];
}

function withSize(input: Shape, [height, width]: Size): Shape {
  return [input[0] ?? null, height, width, input[3] ?? null];
}

function imageOf(inputs: readonly tf.Tensor[]): tf.Tensor4D {
  const x = onlyInput(inputs);
  if (x.rank === 4) return x as tf.Tensor4D;
  throw new Error(`Expected images of shape [batch, height, width, channels] but received rank ${x.rank}`);
}
