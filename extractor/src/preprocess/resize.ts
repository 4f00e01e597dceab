// Resizes 8-bit pixels with the very numbers of Pillow's Image.resize, for prepare-image.ts.
import type { ResizeKernel } from '../../../shared/src/recipe.ts';
import { type AxisCoefficients, axisCoefficients, PRECISION_BITS } from './resize-coefficients.ts';

/** 8-bit pixels [height, width, channels], row-major. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

/** Half of the fixed-point unit: the shift at the end of a sum then rounds instead of cutting. */
const ROUNDING = 1 << (PRECISION_BITS - 1);

const ROWS_AT_ONCE = 4;

/**
 * Pixels squashed to width × height, bit for bit as Pillow 13 does it with the filter of that name.
 * Each pass rounds to 8 bits, so the order of the passes shows: Pillow up to 12 always goes horizontally first,
 * 13 takes the vertical pass first exactly when it saves work: in_h − out_h > max(0, 2 (in_w − out_w)).
 */
export function resizePixels(pixels: Pixels, width: number, height: number, kernel: ResizeKernel): Pixels {
  if (pixels.width === width && pixels.height === height) return pixels;
  if (kernel === 'nearest') return resizeNearest(pixels, width, height);
  const horizontal = (image: Pixels): Pixels =>
    image.width === width ? image : resizeWidth(image, width, axisCoefficients(image.width, width, kernel));
  const vertical = (image: Pixels): Pixels =>
    image.height === height ? image : resizeHeight(image, height, axisCoefficients(image.height, height, kernel));
  const verticalFirst = pixels.height - height > Math.max(0, 2 * (pixels.width - width));
  return verticalFirst ? horizontal(vertical(pixels)) : vertical(horizontal(pixels));
}

function resizeWidth(image: Pixels, width: number, axis: AxisCoefficients): Pixels {
  const { height, channels } = image;
  const data = new Uint8ClampedArray(width * height * channels);
  // One loop for each channel count: sums held in registers are 2 to 3 times as fast as an inner channel loop.
  if (channels === 3) filterRows3(image, data, width, axis);
  else filterRows1(image, data, width, axis);
  return { data: new Uint8Array(data.buffer), width, height, channels };
}

function filterRows3(image: Pixels, out: Uint8ClampedArray, width: number, axis: AxisCoefficients): void {
  const { data } = image;
  const { starts, counts, weights, stride } = axis;
  let to = 0;
  for (let y = 0; y < image.height; y++) {
    const row = y * image.width;
    for (let x = 0; x < width; x++) {
      let from = (row + (starts[x] as number)) * 3;
      const first = x * stride;
      const end = first + (counts[x] as number);
      let r = ROUNDING;
      let g = ROUNDING;
      let b = ROUNDING;
      for (let k = first; k < end; k++, from += 3) {
        const weight = weights[k] as number;
        // imul and |0 keep the sums in int32, where V8 would otherwise check every step for overflow.
        r = (r + Math.imul(data[from] as number, weight)) | 0;
        g = (g + Math.imul(data[from + 1] as number, weight)) | 0;
        b = (b + Math.imul(data[from + 2] as number, weight)) | 0;
      }
      out[to] = r >> PRECISION_BITS;
      out[to + 1] = g >> PRECISION_BITS;
      out[to + 2] = b >> PRECISION_BITS;
      to += 3;
    }
  }
}

function filterRows1(image: Pixels, out: Uint8ClampedArray, width: number, axis: AxisCoefficients): void {
  const { data } = image;
  const { starts, counts, weights, stride } = axis;
  let to = 0;
  for (let y = 0; y < image.height; y++) {
    const row = y * image.width;
    for (let x = 0; x < width; x++) {
      let from = row + (starts[x] as number);
      const first = x * stride;
      const end = first + (counts[x] as number);
      let sum = ROUNDING;
      for (let k = first; k < end; k++, from++) {
        sum = (sum + Math.imul(data[from] as number, weights[k] as number)) | 0;
      }
      out[to++] = sum >> PRECISION_BITS;
    }
  }
}

/** Whole rows are added up, so memory is read in order and the channel count doesn't matter. */
function resizeHeight(image: Pixels, height: number, axis: AxisCoefficients): Pixels {
  const { width, channels } = image;
  const { starts, counts, weights, stride } = axis;
  const rowLength = width * channels;
  const out = new Uint8ClampedArray(rowLength * height);
  const sums = new Int32Array(rowLength);
  for (let y = 0; y < height; y++) {
    const end = y * stride + (counts[y] as number);
    let from = (starts[y] as number) * rowLength;
    sums.fill(ROUNDING);
    // Four rows at a time: a quarter of the traffic on the sums.
    for (let k = y * stride; k < end; k += ROWS_AT_ONCE, from += ROWS_AT_ONCE * rowLength) {
      addRows(sums, image.data, from, weights.subarray(k, Math.min(k + ROWS_AT_ONCE, end)));
    }
    const to = y * rowLength;
    for (let i = 0; i < rowLength; i++) out[to + i] = (sums[i] as number) >> PRECISION_BITS;
  }
  return { data: new Uint8Array(out.buffer), width, height, channels };
}

/** Adds up to four weighted rows, of which the first begins at `from`; a missing one is the first with weight 0. */
function addRows(sums: Int32Array, data: Uint8Array, from: number, rows: Int32Array): void {
  const length = sums.length;
  const w0 = rows[0] ?? 0;
  const w1 = rows[1] ?? 0;
  const w2 = rows[2] ?? 0;
  const w3 = rows[3] ?? 0;
  let a = from;
  let b = rows.length > 1 ? from + length : from;
  let c = rows.length > 2 ? from + 2 * length : from;
  let d = rows.length > 3 ? from + 3 * length : from;
  for (let i = 0; i < length; i++, a++, b++, c++, d++) {
    const upper = (Math.imul(data[a] as number, w0) + Math.imul(data[b] as number, w1)) | 0;
    const lower = (Math.imul(data[c] as number, w2) + Math.imul(data[d] as number, w3)) | 0;
    sums[i] = ((sums[i] as number) + upper + lower) | 0;
  }
}

function resizeNearest(image: Pixels, width: number, height: number): Pixels {
  const { channels, data } = image;
  const columns = nearestPositions(image.width, width);
  const rows = nearestPositions(image.height, height);
  const out = new Uint8Array(width * height * channels);
  let to = 0;
  for (const y of rows) {
    for (const x of columns) {
      const from = (y * image.width + x) * channels;
      for (let c = 0; c < channels; c++) out[to++] = data[from + c] as number;
    }
  }
  return { data: out, width, height, channels };
}

/** Pillow steps through the input by adding up; a product would land beside it where the sum has lost a bit. */
function nearestPositions(inSize: number, outSize: number): Int32Array {
  const step = inSize / outSize;
  const positions = new Int32Array(outSize);
  for (let i = 0, at = step * 0.5; i < outSize; i++, at += step) positions[i] = Math.min(inSize - 1, Math.trunc(at));
  return positions;
}
