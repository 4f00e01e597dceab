// TensorFlow's image resizing (tf.image.resize, half-pixel centres) as matrix products, for the kernels the runtimes lack.
import type * as tf from '@tensorflow/tfjs';
import type { Tfjs } from '../tfjs.ts';

export interface ResampleOptions {
  readonly height: number;
  readonly width: number;
  readonly method: string;
  /** Widens the kernel when shrinking. */
  readonly antialias: boolean;
}

/** Names of Keras and of tf.image.ResizeMethod. */
export const RESAMPLING_METHODS: readonly string[] = [
  'nearest',
  'bilinear',
  'area',
  'bicubic',
  'lanczos3',
  'lanczos5',
  'gaussian',
  'mitchellcubic',
];

/** @param x shape [batch, height, width, channels] */
export function resample(tf: Tfjs, x: tf.Tensor4D, { height, width, method, antialias }: ResampleOptions): tf.Tensor4D {
  if (x.shape[1] === height && x.shape[2] === width) return x;
  if (method === 'nearest') return tf.image.resizeNearestNeighbor(x, [height, width], false, true);
  if (method === 'bilinear' && !antialias) return tf.image.resizeBilinear(x, [height, width], false, true);
  const [batch, rows, columns, channels] = x.shape;
  const down = weightMatrix(tf, rows, height, method, antialias);
  const across = weightMatrix(tf, columns, width, method, antialias);
  const tall = tf.matMul(down, x.reshape([batch, rows, columns * channels]));
  const wide = tf.matMul(across, tall.reshape([batch * height, columns, channels]));
  return wide.reshape([batch, height, width, channels]);
}

/** Shape [1, to, from]: how much of each input pixel goes into each output pixel. */
function weightMatrix(tf: Tfjs, from: number, to: number, method: string, antialias: boolean): tf.Tensor3D {
  const weights = new Float32Array(to * from);
  for (let pixel = 0; pixel < to; pixel++) {
    for (const [source, weight] of weightsOf(pixel, from, to, method, antialias)) {
      weights[pixel * from + source] = (weights[pixel * from + source] ?? 0) + weight;
    }
  }
  return tf.tensor3d(weights, [1, to, from]);
}

type Weights = readonly (readonly [number, number])[];

function weightsOf(pixel: number, from: number, to: number, method: string, antialias: boolean): Weights {
  if (method === 'area') return areaWeights(pixel, from, to);
  if (method === 'bicubic' && !antialias) return cubicWeights(pixel, from, to);
  return kernelWeights(pixel, from, to, kernelOf(method), antialias);
}

/** tensorflow/core/kernels/image/resize_area_op.cc: the share of each input pixel under the output pixel. */
function areaWeights(pixel: number, from: number, to: number): Weights {
  const scale = from / to;
  const [start, end] = [pixel * scale, (pixel + 1) * scale];
  const weights: [number, number][] = [];
  for (let source = Math.floor(start); source < Math.ceil(end); source++) {
    const share = Math.min(source + 1, end) - Math.max(source, start);
    if (share > 0) weights.push([Math.min(source, from - 1), share / scale]);
  }
  return weights;
}

/** resize_bicubic_op.cc with half-pixel centres: Keys' kernel (a = −0.5) from a table of 1,024 steps; what lies outside counts nothing. */
function cubicWeights(pixel: number, from: number, to: number): Weights {
  const centre = (pixel + 0.5) * (from / to) - 0.5;
  const first = Math.floor(centre);
  const fraction = Math.round((centre - first) * 1024) / 1024;
  const all = [-1, 0, 1, 2].map((offset): [number, number] => [first + offset, keysCubic(Math.abs(offset - fraction))]);
  const inside = all.filter(([source]) => source >= 0 && source < from);
  const sum = inside.reduce((total, [, weight]) => total + weight, 0);
  return Math.abs(sum) < 1000 * 1.1754944e-38 ? inside : inside.map(([source, weight]) => [source, weight / sum]);
}

interface Kernel {
  readonly radius: number;
  readonly at: (distance: number) => number;
}

/** scale_and_translate_op.cc: the kernel at the input pixels within its radius, normalised. */
function kernelWeights(pixel: number, from: number, to: number, kernel: Kernel, antialias: boolean): Weights {
  const scale = from / to;
  const stretch = antialias ? Math.max(scale, 1) : 1;
  const centre = (pixel + 0.5) * scale;
  const reach = kernel.radius * stretch;
  const start = Math.max(0, Math.ceil(centre - reach - 0.5));
  const end = Math.min(from - 1, Math.floor(centre + reach - 0.5));
  const weights: [number, number][] = [];
  for (let source = start; source <= end; source++) {
    weights.push([source, kernel.at(Math.abs(source + 0.5 - centre) / stretch)]);
  }
  const sum = weights.reduce((total, [, weight]) => total + weight, 0);
  return sum === 0 ? weights : weights.map(([source, weight]) => [source, weight / sum]);
}

function kernelOf(method: string): Kernel {
  switch (method) {
    case 'bilinear':
      return { radius: 1, at: distance => Math.max(0, 1 - distance) };
    case 'bicubic':
      return { radius: 2, at: keysCubic };
    case 'lanczos3':
      return lanczos(3);
    case 'lanczos5':
      return lanczos(5);
    case 'gaussian':
      return {
        radius: 1.5,
        at: distance => (distance >= 1.5 ? 0 : Math.exp(-(distance * distance) / (2 * 0.5 * 0.5))),
      };
    case 'mitchellcubic':
      return { radius: 2, at: mitchellCubic };
    default:
      throw new Error(`Expected one of ${RESAMPLING_METHODS.join(', ')} but received '${method}'`);
  }
}

function lanczos(radius: number): Kernel {
  return {
    radius,
    at: distance => {
      if (distance > radius) return 0;
      if (distance <= 1e-3) return 1;
      const angle = Math.PI * distance;
      return (radius * Math.sin(angle) * Math.sin(angle / radius)) / (angle * angle);
    },
  };
}

function keysCubic(distance: number): number {
  if (distance >= 2) return 0;
  if (distance >= 1) return ((-0.5 * distance + 2.5) * distance - 4) * distance + 2;
  return (1.5 * distance - 2.5) * distance * distance + 1;
}

function mitchellCubic(distance: number): number {
  if (distance >= 2) return 0;
  if (distance >= 1) return (((-7 / 18) * distance + 2) * distance - 10 / 3) * distance + 16 / 9;
  return ((7 / 6) * distance - 2) * distance * distance + 8 / 9;
}
