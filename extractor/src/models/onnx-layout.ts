// Where the channels of an ONNX tensor are: the format itself doesn't say, its operators do. For the reader and the engine.
import type { OnnxGraph, OnnxShape } from './onnx-graph.ts';

/** How the image input lies: [batch, channels, height, width] or [batch, height, width, channels]. */
export type InputLayout = 'nchw' | 'nhwc';

/** Operators whose output has its channels in axis 1, by definition. */
const CHANNELS_FIRST = new Set(
  'Conv ConvTranspose ConvInteger QLinearConv MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool BatchNormalization InstanceNormalization LRN DepthToSpace SpaceToDepth'.split(
    ' ',
  ),
);

/** Operators that leave every axis where it is: their output lies as their inputs do. */
const SAME_LAYOUT = new Set(
  'Abs Add And Cast Ceil Celu Clip Concat DequantizeLinear Div Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity LeakyRelu Log Max Mean Min Mish Mul Neg Pad Pow PRelu QuantizeLinear Reciprocal Relu Resize Round Selu Sigmoid Sign Slice Softplus Softsign Sqrt Sub Sum Tanh ThresholdedRelu Upsample'.split(
    ' ',
  ),
);

/** By the axis that has the size of a channel count; undefined where none has, or for another rank. */
export function inputLayout(shape: OnnxShape | undefined): InputLayout | undefined {
  if (shape?.length !== 4) return undefined;
  const isChannels = (axis: number | null | undefined): boolean => axis === 1 || axis === 3;
  if (isChannels(shape[1])) return 'nchw';
  return isChannels(shape[3]) ? 'nhwc' : undefined;
}

/** Names of the tensors whose channels are in axis 1: features are given channels last, so these are turned. */
export function channelsFirstTensors(graph: OnnxGraph): ReadonlySet<string> {
  const first = new Set(graph.inputs.filter(input => inputLayout(input.shape) === 'nchw').map(input => input.name));
  // Nodes stand in an order in which they can run.
  for (const { opType, inputs, outputs } of graph.nodes) {
    const turned = CHANNELS_FIRST.has(opType) || (SAME_LAYOUT.has(opType) && inputs.some(input => first.has(input)));
    const [output] = outputs;
    if (turned && output !== undefined) first.add(output);
  }
  return first;
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
