// The two layouts of images, and the turn from one to the other. For the reader and the engine.
import type { OnnxShape } from './onnx-graph.ts';

/** How the image input lies: [batch, channels, height, width] or [batch, height, width, channels]. */
export type InputLayout = 'nchw' | 'nhwc';

/** By the axis that has the size of a channel count; undefined where none has, or for another rank. */
export function inputLayout(shape: OnnxShape | undefined): InputLayout | undefined {
  if (shape?.length !== 4) return undefined;
  const isChannels = (axis: number | null | undefined): boolean => axis === 1 || axis === 3;
  if (isChannels(shape[1])) return 'nchw';
  return isChannels(shape[3]) ? 'nhwc' : undefined;
}

/** Moves the channels to the end: [rows, channels, …space] → [rows, …space, channels]. */
export function toChannelsLast(data: Float32Array, rows: number, channels: number, positions: number): Float32Array {
  const turned = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    const base = row * channels * positions;
    for (let channel = 0; channel < channels; channel++) {
      const from = base + channel * positions;
      for (let position = 0, to = base + channel; position < positions; position++, to += channels) {
        turned[to] = data[from + position] as number;
      }
    }
  }
  return turned;
}

/** Moves the channels behind the batch axis: [rows, …space, channels] → [rows, channels, …space]. */
export function toChannelsFirst(data: Float32Array, rows: number, channels: number, positions: number): Float32Array {
  // The same turn with the two axes in each other's place.
  return toChannelsLast(data, rows, positions, channels);
}
