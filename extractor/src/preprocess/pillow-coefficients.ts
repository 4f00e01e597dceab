// Fixed-point weights of Pillow's resize kernels for one axis, for the two passes in pillow-resize.ts.
import { type Axis, type AxisTable, cachedTables } from './axis.ts';

/** Every kernel of Pillow's but nearest, which has no weights. */
export type ConvolutionKernel = 'box' | 'bilinear' | 'bicubic' | 'lanczos';

/** 8 bits for the pixel and 2 for the overshoot of negative lobes leave 22 of an int32 to the weight. */
const PRECISION_BITS = 32 - 8 - 2;

/** The kernel's half width in input pixels at scale 1, and its value at distance x. */
const KERNELS: Readonly<Record<ConvolutionKernel, { support: number; at: (x: number) => number }>> = {
  box: { support: 0.5, at: x => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: x => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, at: x => keysCubic(Math.abs(x)) },
  lanczos: { support: 3, at: x => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** The weights × 2^PRECISION_BITS for resizing an axis. */
export const axisCoefficients = cachedTables(computeCoefficients);

/**
 * When shrinking, the kernel is stretched by the scale so that every input pixel counts (antialias); when growing it
 * keeps its own width. Weights are normalised to a sum of 1 in float64, then rounded half away from zero.
 * Inputs beyond the box count as well, as far as the kernel reaches. Source: Pillow's documentation of filters, and its
 * fixed-point 8-bit path.
 */
function computeCoefficients(axis: Axis, kernel: ConvolutionKernel): AxisTable<Int32Array> {
  const { inSize, boxFrom, boxSize, outSize, from, count } = axis;
  const { support, at } = KERNELS[kernel];
  const scale = boxSize / outSize;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  const stride = Math.min(inSize, Math.ceil(reach) * 2 + 1);
  const starts = new Int32Array(count);
  const counts = new Int32Array(count);
  const weights = new Int32Array(count * stride);
  const row = new Float64Array(stride);
  // Multiplied, not divided: the last bit of the product decides some weights.
  const shrink = 1 / stretch;
  for (let i = 0; i < count; i++) {
    const center = boxFrom + (from + i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - reach + 0.5));
    const taps = Math.min(inSize, Math.trunc(center + reach + 0.5)) - start;
    let sum = 0;
    for (let j = 0; j < taps; j++) {
      const weight = at((j + start - center + 0.5) * shrink);
      row[j] = weight;
      sum += weight;
    }
    for (let j = 0; j < taps; j++) {
      weights[i * stride + j] = toFixedPoint(sum === 0 ? (row[j] as number) : (row[j] as number) / sum);
    }
    starts[i] = start;
    counts[i] = taps;
  }
  return { starts, counts, weights, stride };
}

function toFixedPoint(weight: number): number {
  const scaled = weight * 2 ** PRECISION_BITS;
  return Math.trunc(weight < 0 ? scaled - 0.5 : scaled + 0.5);
}

/** Keys' cubic convolution with a = −0.5, for x ≥ 0: R. Keys, IEEE TASSP 29(6), 1981. */
function keysCubic(x: number): number {
  const a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}
