// Convolutions. TensorFlow.js: images [rows, …space, channels], filters [...size, in, out]. ONNX: channels first, filters
// [out, in ÷ groups, …size].
import { activate } from './activation.ts';
import type { KernelCall } from './kernel-graph.ts';
import { type LowerCall, type Lowering, permuted, transposeData } from './lowering.ts';
import { inputOf, outputOf } from './operands.ts';
import { padsOf, perAxis, requireChannelsLast, spatial } from './windows.ts';
import { convolveWinograd, isFaster } from './winograd.ts';

interface Geometry {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
}

/** Conv2D, FusedConv2D, Conv3D; with `groups` where `fold.ts` has put them together. */
const convolve: LowerCall = (call, to) => {
  const filter = inputOf(call, 'filter');
  const shape = to.shapeOf(filter).map(({ size }) => size);
  const rank = shape.length - 2;
  const geometry = geometryOf(call, to, shape.slice(0, rank));
  if (to.winograd && convolveFast(call, to, geometry)) return;
  // [...size, in, out] → [out, in, ...size]
  const weights = reorder(to, filter, [rank + 1, rank, ...Array.from({ length: rank }, (_, axis) => axis)]);
  const { groups } = call.attributes;
  finish(call, to, weights, geometry, groups === undefined ? {} : { group: Number(groups) });
};

/** By minimal filtering, where that is known to be faster. @returns whether it was written */
function convolveFast(call: KernelCall, to: Lowering, { strides, dilations, pads }: Geometry): boolean {
  const [x, filterValue] = [inputOf(call, 'x'), inputOf(call, 'filter')];
  const [height, width, ins = 0, outs = 0] = to.shapeOf(filterValue).map(({ size }) => size);
  const filter = to.constantOf(filterValue);
  const output = spatial(to.shapeOf(outputOf(call)));
  const isFlat = output.length === 2 && call.attributes.groups === undefined;
  const isPlain = isFlat && [...strides, ...dilations].every(step => step === 1);
  const channels = { in: ins, out: outs };
  if (filter === undefined || height !== 3 || width !== 3 || !isPlain || !isFaster(output, channels)) return false;
  const { bias } = call.inputs;
  const result = convolveWinograd(to, {
    image: to.take(x, 'first'),
    input: spatial(to.shapeOf(x)),
    ...{ output, filter, channels, pads },
    bias: bias === undefined ? undefined : to.take(bias),
  });
  to.give(outputOf(call), activate(call, to, result, 'first'), 'first');
  return true;
}

/** DepthwiseConv2dNative, FusedDepthwiseConv2D: filters [height, width, in, multiplier], and out = in × multiplier. */
const convolveDepthwise: LowerCall = (call, to) => {
  const filter = inputOf(call, 'filter');
  const [height = 1, width = 1, channels = 1, multiplier = 1] = to.shapeOf(filter).map(({ size }) => size);
  const geometry = geometryOf(call, to, [height, width]);
  const weights = reorder(to, filter, [2, 3, 0, 1], [channels * multiplier, 1, height, width]);
  finish(call, to, weights, geometry, { group: channels });
};

/** The gradient of a convolution, which is a transposed one: filters [...size, out, in]. */
const convolveTransposed: LowerCall = (call, to) => {
  requireChannelsLast(call);
  const filter = inputOf(call, 'filter');
  const size = to
    .shapeOf(filter)
    .slice(0, 2)
    .map(axis => axis.size);
  const input = spatial(to.shapeOf(inputOf(call, 'dy')));
  const output = spatial(to.shapeOf(outputOf(call)));
  const strides = perAxis(call.attributes.strides, 2);
  // Its padding is that of the convolution that would lead back.
  const dilations = [1, 1];
  const pads = padsOf(call.attributes.pad, { input: output, output: input, size, strides, dilations });
  const outputPadding = output.map((length, axis) => {
    const covered = ((input[axis] ?? 1) - 1) * (strides[axis] ?? 1) + (size[axis] ?? 1);
    return length - covered + (pads[axis] ?? 0) + (pads[axis + 2] ?? 0);
  });
  // ONNX's filters are [in, out, ...size] here.
  const weights = reorder(to, filter, [3, 2, 0, 1]);
  const image = to.take(inputOf(call, 'dy'), 'first');
  const result = to.writer.node('ConvTranspose', [image, weights], {
    strides,
    pads,
    output_padding: outputPadding,
  });
  to.give(outputOf(call), result, 'first');
};

function geometryOf(call: KernelCall, to: Lowering, size: readonly number[]): Geometry {
  requireChannelsLast(call);
  const input = spatial(to.shapeOf(inputOf(call, 'x')));
  const output = spatial(to.shapeOf(outputOf(call)));
  const strides = perAxis(call.attributes.strides, size.length);
  const dilations = perAxis(call.attributes.dilations, size.length);
  return { strides, dilations, pads: padsOf(call.attributes.pad, { input, output, size, strides, dilations }) };
}

function finish(
  call: KernelCall,
  to: Lowering,
  weights: string,
  { strides, dilations, pads }: Geometry,
  attributes: { readonly group?: number },
): void {
  const image = to.take(inputOf(call, 'x'), 'first');
  const { bias } = call.inputs;
  const inputs = [image, weights, ...(bias === undefined ? [] : [to.take(bias)])];
  const result = to.writer.node('Conv', inputs, { strides, dilations, pads, ...attributes });
  to.give(outputOf(call), activate(call, to, result, 'first'), 'first');
}

/** A filter with its axes in ONNX's order. @param dims where that needs another shape over the same elements */
function reorder(to: Lowering, filter: number, perm: readonly number[], dims?: readonly number[]): string {
  const data = to.constantOf(filter);
  if (data === undefined) {
    const turned = to.writer.node('Transpose', [to.take(filter)], { perm });
    return dims === undefined ? turned : to.writer.node('Reshape', [turned, to.writer.list(dims)]);
  }
  const shape = to.shapeOf(filter).map(({ size }) => size);
  return to.writer.constant(transposeData(data, shape, perm), dims ?? permuted(shape, perm));
}

export const CONVOLUTION: Readonly<Record<string, LowerCall>> = {
  Conv2D: convolve,
  FusedConv2D: convolve,
  Conv3D: convolve,
  DepthwiseConv2dNative: convolveDepthwise,
  FusedDepthwiseConv2D: convolveDepthwise,
  Conv2DBackpropInput: convolveTransposed,
};
