// The two layouts of images, and the turn from one to the other. For the reader and the engine.
import type { OnnxGraph } from './onnx-graph.ts';
import { followInput } from './onnx-input-chain.ts';
import type { OnnxShape, OnnxTensor } from './onnx-value-info.ts';

/** How the image input lies: [batch, channels, height, width] or [batch, height, width, channels]. */
export type InputLayout = 'nchw' | 'nhwc';

export interface ImageLayout {
  readonly layout: InputLayout;
  /** Of [batch, …]: as the file declares it, its channels filled in from the first convolution where they are open. */
  readonly shape: OnnxShape;
}

/**
 * By the axis that has the size of a channel count; where both have or none does, by what takes the input first.
 * Undefined for an input that is no image, and where nothing tells.
 */
export function imageLayout(graph: OnnxGraph, input: OnnxTensor): ImageLayout | undefined {
  const shape = input.shape ?? [null, null, null, null];
  if (shape.length !== 4 || input.other !== undefined) return undefined;
  const [, second = null, , last = null] = shape;
  if (isChannels(second) !== isChannels(last)) return { layout: isChannels(second) ? 'nchw' : 'nhwc', shape };
  const used = layoutByUse(graph, input.name);
  if (used === undefined) return undefined;
  const axis = used.layout === 'nchw' ? 1 : 3;
  const declared = shape[axis] ?? null;
  // Sizes that contradict the use: an input of other channels, which no recipe gives.
  if (declared !== null && !isChannels(declared)) return undefined;
  return { layout: used.layout, shape: shape.map((size, at) => (at === axis ? (size ?? used.channels) : size)) };
}

function isChannels(axis: number | null): boolean {
  return axis === 1 || axis === 3;
}

/** A convolution takes channels first; a transposition right behind the input tells where they were. */
function layoutByUse(graph: OnnxGraph, input: string): { layout: InputLayout; channels: number | null } | undefined {
  const chain = followInput(graph, input);
  const turn = chain.passed.find(node => node.opType === 'Transpose');
  const kernel = graph.weights.find(weight => weight.name === chain.next?.inputs[1]);
  const [group = 1] = chain.next?.integers.get('group') ?? [1];
  const channels = kernel?.dims[1] === undefined ? null : kernel.dims[1] * group;
  if (turn !== undefined) {
    const perm = String(turn.integers.get('perm') ?? '');
    if (perm === '0,3,1,2') return { layout: 'nhwc', channels };
    return perm === '0,2,3,1' ? { layout: 'nchw', channels: null } : undefined;
  }
  const isConvolution = chain.next?.opType === 'Conv' || chain.next?.opType === 'ConvInteger';
  return isConvolution ? { layout: 'nchw', channels } : undefined;
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
