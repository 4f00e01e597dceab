// Fixed-point weights of Pillow's resize kernels for one axis, for the two passes in resize.ts.

/** Every kernel of Pillow's but nearest, which has no weights. */
export type ConvolutionKernel = 'box' | 'bilinear' | 'bicubic' | 'lanczos';

/** Weights of one axis: output position i is the sum of `counts[i]` inputs from `starts[i]` on. */
export interface AxisCoefficients {
  /** First input position of each output position. */
  readonly starts: Int32Array;
  /** Number of inputs of each output position, at most `stride`. */
  readonly counts: Int32Array;
  /** Weights × 2^PRECISION_BITS, `stride` slots for each output position. */
  readonly weights: Int32Array;
  readonly stride: number;
}

/** 8 bits for the pixel and 2 for the overshoot of negative lobes leave 22 of an int32 to the weight. */
export const PRECISION_BITS = 32 - 8 - 2;

/** The kernel's half width in input pixels at scale 1, and its value at distance x. */
const KERNELS: Readonly<Record<ConvolutionKernel, { support: number; at: (x: number) => number }>> = {
  box: { support: 0.5, at: x => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: x => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, at: x => keysCubic(Math.abs(x)) },
  lanczos: { support: 3, at: x => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** For each thread. A run asks for one output size, but its photos come in many input sizes: tables of 20 to 200 kB. */
export const MAX_CACHED_BYTES = 16 * 1024 * 1024;
const cache = new Map<string, AxisCoefficients>();
let cachedBytes = 0;

/** The weights for resizing an axis of `inSize` to `outSize` pixels; computed once for each triple, then cached. */
export function axisCoefficients(inSize: number, outSize: number, kernel: ConvolutionKernel): AxisCoefficients {
  const key = `${kernel} ${inSize} ${outSize}`;
  const cached = cache.get(key);
  const coefficients = cached ?? computeCoefficients(inSize, outSize, kernel);
  // A Map keeps insertion order: deleting and setting again makes this the youngest entry.
  cache.delete(key);
  cache.set(key, coefficients);
  if (cached === undefined) cachedBytes += byteLength(coefficients);
  // The oldest go first; a table that is larger than the bound goes as well.
  for (const [oldest, table] of cache) {
    if (cachedBytes <= MAX_CACHED_BYTES) break;
    cache.delete(oldest);
    cachedBytes -= byteLength(table);
  }
  return coefficients;
}

function byteLength({ starts, counts, weights }: AxisCoefficients): number {
  return starts.byteLength + counts.byteLength + weights.byteLength;
}

/**
 * When shrinking, the kernel is stretched by the scale so that every input pixel counts (antialias); when growing it
 * keeps its own width. Weights are normalised to a sum of 1 in float64, then rounded half away from zero.
 * Source: Pillow's documentation of filters, and its fixed-point 8-bit path.
 */
function computeCoefficients(inSize: number, outSize: number, kernel: ConvolutionKernel): AxisCoefficients {
  const { support, at } = KERNELS[kernel];
  const scale = inSize / outSize;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  const stride = Math.min(inSize, Math.ceil(reach) * 2 + 1);
  const starts = new Int32Array(outSize);
  const counts = new Int32Array(outSize);
  const weights = new Int32Array(outSize * stride);
  const row = new Float64Array(stride);
  // Multiplied, not divided: the last bit of the product decides some weights.
  const shrink = 1 / stretch;
  for (let i = 0; i < outSize; i++) {
    const center = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - reach + 0.5));
    const count = Math.min(inSize, Math.trunc(center + reach + 0.5)) - start;
    let sum = 0;
    for (let j = 0; j < count; j++) {
      const weight = at((j + start - center + 0.5) * shrink);
      row[j] = weight;
      sum += weight;
    }
    for (let j = 0; j < count; j++) {
      weights[i * stride + j] = toFixedPoint(sum === 0 ? (row[j] as number) : (row[j] as number) / sum);
    }
    starts[i] = start;
    counts[i] = count;
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
