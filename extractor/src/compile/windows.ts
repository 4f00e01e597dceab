// The padding of convolutions and poolings in numbers. TensorFlow's `same` pads more behind than in front:
// https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2
import type { Axis } from './kernel-graph.ts';
import type { TracedCall } from './trace.ts';

export interface Window {
  /** Lengths of the spatial axes. */
  readonly input: readonly number[];
  readonly output: readonly number[];
  readonly size: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

/** In front of all spatial axes, then behind them, as ONNX wants it. */
export function padsOf(pad: unknown, window: Window): readonly number[] {
  const pairs = window.input.map((_, axis) => padOf(pad, window, axis));
  return [...pairs.map(([before]) => before), ...pairs.map(([, after]) => after)];
}

function padOf(pad: unknown, window: Window, axis: number): readonly [number, number] {
  if (pad === 'valid') return [0, 0];
  if (typeof pad === 'number') return [pad, pad];
  if (Array.isArray(pad)) {
    const [before, after] = pad[axis + 1] as [number, number];
    return [before, after];
  }
  if (pad !== 'same') throw new Error(`Expected a padding but received ${pad}`);
  const [input = 1, output = 1] = [window.input[axis], window.output[axis]];
  const reach = ((window.size[axis] ?? 1) - 1) * (window.dilations[axis] ?? 1) + 1;
  const total = Math.max(0, (output - 1) * (window.strides[axis] ?? 1) + reach - input);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

/** The lengths of the spatial axes of a tensor with channels last. */
export function spatial(shape: readonly Axis[]): readonly number[] {
  return shape.slice(1, -1).map(({ size }) => size);
}

/** One number per spatial axis from one for all, from one per axis, or from one per axis of the tensor. */
export function perAxis(value: unknown, axes: number): readonly number[] {
  if (value === undefined || value === null) return Array.from({ length: axes }, () => 1);
  if (typeof value === 'number') return Array.from({ length: axes }, () => value);
  const list = value as readonly number[];
  if (list.length === axes) return list;
  if (list.length === axes + 2) return list.slice(1, -1);
  return Array.from({ length: axes }, () => list[0] ?? 1);
}

export function requireChannelsLast({ attributes, kernel }: TracedCall): void {
  const { dataFormat } = attributes;
  if (dataFormat === undefined || dataFormat === 'NHWC' || dataFormat === 'NDHWC') return;
  throw new Error(`Expected channels last for ${kernel} but received ${dataFormat}`);
}
