// The two passes of a resize over 8-bit pixels in fixed point, for pillow-resize.ts. Most of the preprocessing's time is here.
import type { AxisTable } from './axis.ts';
import { PRECISION_BITS } from './pillow-coefficients.ts';
import type { Pixels } from './pixels.ts';

/** Half of the fixed-point unit: the shift at the end of a sum then rounds instead of cutting. */
const ROUNDING = 1 << (PRECISION_BITS - 1);

/** Every row weighted along its width. */
export function resizeWidth(image: Pixels, axis: AxisTable<Int32Array>): Pixels {
  const { height, channels } = image;
  const width = axis.starts.length;
  const data = new Uint8ClampedArray(width * height * channels);
  // One loop for each channel count: sums held in registers are 2 to 3 times as fast as an inner channel loop.
  if (channels === 3) filterRows3(image, data, width, axis);
  else filterRows1(image, data, width, axis);
  return { data: new Uint8Array(data.buffer), width, height, channels };
}

/** Two rows at a time, so that each weight is fetched once for both; an odd last row is done twice in one go. */
function filterRows3(image: Pixels, out: Uint8ClampedArray, width: number, axis: AxisTable<Int32Array>): void {
  const { data, height } = image;
  const { starts, counts, weights, stride } = axis;
  for (let y = 0; y < height; y += 2) {
    const next = Math.min(y + 1, height - 1);
    let to = y * width * 3;
    let nextTo = next * width * 3;
    for (let x = 0; x < width; x++) {
      const start = starts[x] as number;
      const first = x * stride;
      const end = first + (counts[x] as number);
      let a = (y * image.width + start) * 3;
      let b = (next * image.width + start) * 3;
      let red = ROUNDING;
      let green = ROUNDING;
      let blue = ROUNDING;
      let nextRed = ROUNDING;
      let nextGreen = ROUNDING;
      let nextBlue = ROUNDING;
      for (let k = first; k < end; k++, a += 3, b += 3) {
        const weight = weights[k] as number;
        // imul and |0 keep the sums in int32, where V8 would otherwise check every step for overflow.
        red = (red + Math.imul(data[a] as number, weight)) | 0;
        green = (green + Math.imul(data[a + 1] as number, weight)) | 0;
        blue = (blue + Math.imul(data[a + 2] as number, weight)) | 0;
        nextRed = (nextRed + Math.imul(data[b] as number, weight)) | 0;
        nextGreen = (nextGreen + Math.imul(data[b + 1] as number, weight)) | 0;
        nextBlue = (nextBlue + Math.imul(data[b + 2] as number, weight)) | 0;
      }
      out[to] = red >> PRECISION_BITS;
      out[to + 1] = green >> PRECISION_BITS;
      out[to + 2] = blue >> PRECISION_BITS;
      out[nextTo] = nextRed >> PRECISION_BITS;
      out[nextTo + 1] = nextGreen >> PRECISION_BITS;
      out[nextTo + 2] = nextBlue >> PRECISION_BITS;
      to += 3;
      nextTo += 3;
    }
  }
}

function filterRows1(image: Pixels, out: Uint8ClampedArray, width: number, axis: AxisTable<Int32Array>): void {
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

/** Every column weighted along its height: whole rows are added up, four at a time, so memory is read in order and the channel count doesn't matter. The image's first row is row `top` of the axis. */
export function resizeHeight(image: Pixels, axis: AxisTable<Int32Array>, top: number): Pixels {
  const { width, channels, data } = image;
  const height = axis.starts.length;
  const rowLength = width * channels;
  const out = new Uint8ClampedArray(rowLength * height);
  const sums = new Int32Array(rowLength);
  for (let y = 0; y < height; y++) {
    const end = y * axis.stride + (axis.counts[y] as number);
    let from = ((axis.starts[y] as number) - top) * rowLength;
    let k = y * axis.stride;
    sums.fill(ROUNDING);
    for (; k + 4 < end; k += 4, from += 4 * rowLength) addFourRows(sums, data, from, axis.weights.subarray(k, k + 4));
    finishRow(out, y * rowLength, sums, data, from, axis.weights.subarray(k, end));
  }
  return { data: new Uint8Array(out.buffer), width, height, channels };
}

/** Adds four weighted rows to the sums, the first of which begins at `from`. */
function addFourRows(sums: Int32Array, data: Uint8Array, from: number, weights: Int32Array): void {
  const length = sums.length;
  const w0 = weights[0] as number;
  const w1 = weights[1] as number;
  const w2 = weights[2] as number;
  const w3 = weights[3] as number;
  let b = from + length;
  let c = b + length;
  let d = c + length;
  for (let i = 0, a = from; i < length; i++, a++, b++, c++, d++) {
    const upper = (Math.imul(data[a] as number, w0) + Math.imul(data[b] as number, w1)) | 0;
    const lower = (Math.imul(data[c] as number, w2) + Math.imul(data[d] as number, w3)) | 0;
    sums[i] = ((sums[i] as number) + upper + lower) | 0;
  }
}

/** Adds the last one to four rows and writes the result at `to`; a row that isn't there is the first with weight 0. */
function finishRow(
  out: Uint8ClampedArray,
  to: number,
  sums: Int32Array,
  data: Uint8Array,
  from: number,
  weights: Int32Array,
): void {
  const length = sums.length;
  const count = weights.length;
  const w0 = weights[0] ?? 0;
  const w1 = weights[1] ?? 0;
  const w2 = weights[2] ?? 0;
  const w3 = weights[3] ?? 0;
  let b = count > 1 ? from + length : from;
  let c = count > 2 ? from + 2 * length : from;
  let d = count > 3 ? from + 3 * length : from;
  for (let i = 0, a = from; i < length; i++, a++, b++, c++, d++) {
    const upper = (Math.imul(data[a] as number, w0) + Math.imul(data[b] as number, w1)) | 0;
    const lower = (Math.imul(data[c] as number, w2) + Math.imul(data[d] as number, w3)) | 0;
    out[to + i] = ((sums[i] as number) + upper + lower) >> PRECISION_BITS;
  }
}
