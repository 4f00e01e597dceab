// The two passes of a weighted resize in float32 sums, in TensorFlow's order, for tf-resize.ts.
import type { AxisTable } from './axis.ts';
import type { FloatPixels, Pixels } from './pixels.ts';

/** Every column weighted along its height: whole rows are added up, each sum rounded to float32. */
export function weighColumns(image: Pixels | FloatPixels, axis: AxisTable<Float32Array>): FloatPixels {
  const { width, channels, data } = image;
  const rowLength = width * channels;
  const height = axis.starts.length;
  const out = new Float32Array(rowLength * height);
  for (let y = 0; y < height; y++) {
    const sums = out.subarray(y * rowLength, (y + 1) * rowLength);
    const first = y * axis.stride;
    const end = first + (axis.counts[y] as number);
    let from = (axis.starts[y] as number) * rowLength;
    for (let k = first; k < end; k++, from += rowLength) addRow(sums, data, from, axis.weights[k] as number);
  }
  return { data: out, width, height, channels };
}

function addRow(sums: Float32Array, data: Uint8Array | Float32Array, from: number, weight: number): void {
  for (let i = 0; i < sums.length; i++) {
    sums[i] = Math.fround(sums[i] as number) + Math.fround(weight * (data[from + i] as number));
  }
}

/** Every row weighted along its width. */
export function weighRows(image: Pixels | FloatPixels, axis: AxisTable<Float32Array>): FloatPixels {
  const { height, channels } = image;
  const width = axis.starts.length;
  const out = new Float32Array(width * height * channels);
  if (channels === 3) weighRows3(image, out, axis);
  else weighRows1(image, out, axis);
  return { data: out, width, height, channels };
}

function weighRows3(image: Pixels | FloatPixels, out: Float32Array, axis: AxisTable<Float32Array>): void {
  const { data } = image;
  const { starts, counts, weights, stride } = axis;
  let to = 0;
  for (let y = 0; y < image.height; y++) {
    const row = y * image.width;
    for (let x = 0; x < starts.length; x++) {
      const first = x * stride;
      const end = first + (counts[x] as number);
      let from = (row + (starts[x] as number)) * 3;
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let k = first; k < end; k++, from += 3) {
        const weight = weights[k] as number;
        red = Math.fround(red + Math.fround(weight * (data[from] as number)));
        green = Math.fround(green + Math.fround(weight * (data[from + 1] as number)));
        blue = Math.fround(blue + Math.fround(weight * (data[from + 2] as number)));
      }
      out[to++] = red;
      out[to++] = green;
      out[to++] = blue;
    }
  }
}

function weighRows1(image: Pixels | FloatPixels, out: Float32Array, axis: AxisTable<Float32Array>): void {
  const { data } = image;
  const { starts, counts, weights, stride } = axis;
  let to = 0;
  for (let y = 0; y < image.height; y++) {
    const row = y * image.width;
    for (let x = 0; x < starts.length; x++) {
      const first = x * stride;
      const end = first + (counts[x] as number);
      let from = row + (starts[x] as number);
      let sum = 0;
      for (let k = first; k < end; k++, from++) {
        sum = Math.fround(sum + Math.fround((weights[k] as number) * (data[from] as number)));
      }
      out[to++] = sum;
    }
  }
}
