// The weights of tf.image.resize's methods along one axis, in TensorFlow's own float32 steps, for tf-resize.ts.
import { type Axis, type AxisTable, cachedTables } from './axis.ts';

/** Methods that are sums of weighted inputs along each axis in turn. */
export type WeightedMethod =
  | 'area'
  | 'bicubic'
  | 'lanczos3'
  | 'bilinear+antialias'
  | 'bicubic+antialias'
  | 'lanczos3+antialias';

const f = Math.fround;

/** Float32 positions are coarse (a 4,000th of a pixel at 4,000), so every step is rounded where TensorFlow rounds it. */
export const weightTable = cachedTables(computeTable);

function computeTable(axis: Axis, method: WeightedMethod): AxisTable<Float32Array> {
  switch (method) {
    case 'area':
      return areaTable(axis);
    case 'bicubic':
      return cubicTable(axis);
    case 'lanczos3':
      return spanTable(axis, 3, lanczos3, 1);
    case 'bilinear+antialias':
      return spanTable(axis, 1, triangle, shrinkOf(axis));
    case 'bicubic+antialias':
      return spanTable(axis, 2, keysCubic, shrinkOf(axis));
    case 'lanczos3+antialias':
      return spanTable(axis, 3, lanczos3, shrinkOf(axis));
  }
}

/** The kernel is stretched by this when shrinking, so that every input counts. */
function shrinkOf(axis: Axis): number {
  return Math.max(inverseScale(axis), 1);
}

/** tf.image.resize gives the scale out ÷ in as float32, and the kernel takes its inverse, rounded again. */
function inverseScale({ inSize, outSize }: Axis): number {
  return f(1 / f(outSize / inSize));
}

/** ScaleAndTranslate: inputs whose centres lie within the stretched kernel's radius, weights made to sum up to 1. */
function spanTable(
  axis: Axis,
  radius: number,
  kernel: (x: number) => number,
  stretch: number,
): AxisTable<Float32Array> {
  const { inSize, from, count } = axis;
  const scale = inverseScale(axis);
  const reach = f(radius * stretch);
  const shrink = f(1 / stretch);
  const stride = Math.min(2 * Math.ceil(reach) + 1, inSize);
  const table = emptyTable(count, stride);
  for (let i = 0; i < count; i++) {
    const sample = f(f(from + i + 0.5) * scale);
    if (sample > inSize) continue;
    const start = clamp(Math.ceil(f(f(sample - reach) - 0.5)), inSize);
    const end = clamp(Math.floor(f(f(sample + reach) - 0.5)), inSize) + 1;
    const slot = i * stride;
    let sum = 0;
    for (let at = start; at < end; at++) {
      const weight = kernel(Math.abs(f(f(f(at + 0.5) - sample) * shrink)));
      table.weights[slot + at - start] = weight;
      sum = f(sum + weight);
    }
    normalise(table.weights, slot, end - start, sum);
    table.starts[i] = start;
    table.counts[i] = end - start;
  }
  return table;
}

/** ResizeBicubic with half-pixel centres: weights from a table of 1,024 steps, those outside the image left out. */
function cubicTable({ inSize, outSize, from, count }: Axis): AxisTable<Float32Array> {
  const scale = f(inSize / f(outSize));
  const table = emptyTable(count, 4);
  for (let i = 0; i < count; i++) {
    const position = f(f(f(from + i + 0.5) * scale) - 0.5);
    const whole = Math.floor(position);
    const step = roundHalfEven(f(position - whole) * CUBIC_STEPS) / CUBIC_STEPS;
    const weights = [cubicOuter(step), cubicInner(step), cubicInner(1 - step), cubicOuter(1 - step)];
    const start = Math.max(0, whole - 1);
    const end = Math.min(inSize, whole + 3);
    const slot = i * 4;
    let sum = 0;
    for (let at = start; at < end; at++) {
      const weight = weights[at - whole + 1] as number;
      table.weights[slot + at - start] = weight;
      sum = f(sum + weight);
    }
    normalise(table.weights, slot, end - start, sum);
    table.starts[i] = start;
    table.counts[i] = end - start;
  }
  return table;
}

const CUBIC_STEPS = 1024;

/** ResizeArea: how much of each input lies under the output pixel; tf-resize.ts divides by the area. */
function areaTable({ inSize, outSize, from, count }: Axis): AxisTable<Float32Array> {
  const scale = f(inSize / f(outSize));
  const stride = Math.ceil(scale) + 2;
  const table = emptyTable(count, stride);
  for (let i = 0; i < count; i++) {
    const left = f((from + i) * scale);
    const right = f((from + i + 1) * scale);
    const start = Math.min(inSize - 1, Math.floor(left));
    const end = Math.ceil(right);
    for (let at = start; at < end; at++) {
      // Rounding may reach beyond the last input, which then counts again.
      const slot = i * stride + Math.min(at, inSize - 1) - start;
      table.weights[slot] = (table.weights[slot] as number) + coveredShare(at, left, right, scale);
    }
    table.starts[i] = start;
    table.counts[i] = Math.min(end, inSize) - start;
  }
  return table;
}

function coveredShare(at: number, left: number, right: number, scale: number): number {
  if (at < left) return at + 1 > right ? scale : f(at + 1 - left);
  return at + 1 > right ? f(right - at) : 1;
}

function emptyTable(count: number, stride: number): AxisTable<Float32Array> {
  const weights = new Float32Array(count * stride);
  return { starts: new Int32Array(count), counts: new Int32Array(count), weights, stride };
}

function normalise(weights: Float32Array, slot: number, count: number, sum: number): void {
  const factor = f(1 / sum);
  for (let j = slot; j < slot + count; j++) weights[j] = (weights[j] as number) * factor;
}

function clamp(position: number, size: number): number {
  return Math.min(size - 1, Math.max(0, position));
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

function triangle(x: number): number {
  return x < 1 ? f(1 - x) : 0;
}

/** Keys' cubic convolution with a = −0.5 (IEEE TASSP 29(6), 1981), in float32. */
function keysCubic(x: number): number {
  if (x >= 2) return 0;
  if (x >= 1) return f(f(f(f(f(f(-0.5 * x) + 2.5) * x) - 4) * x) + 2);
  return f(f(f(f(f(1.5 * x) - 2.5) * x) * x) + 1);
}

/** The same in float64, rounded once, for x in [0, 1] and for 1 + x: as the steps of ResizeBicubic's table are made. */
function cubicInner(x: number): number {
  return f((1.5 * x - 2.5) * x * x + 1);
}

function cubicOuter(rest: number): number {
  const x = 1 + rest;
  return f(((-0.5 * x + 2.5) * x - 4) * x + 2);
}

const PI = f(Math.PI);

function lanczos3(x: number): number {
  if (x > 3) return 0;
  if (x <= 1e-3) return 1;
  const angle = f(PI * x);
  const numerator = f(f(3 * f(Math.sin(angle))) * f(Math.sin(f(angle / 3))));
  return f(numerator / f(f(f(PI * PI) * x) * x));
}
