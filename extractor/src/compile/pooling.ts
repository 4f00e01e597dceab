// Poolings over windows. TensorFlow leaves padding out of averages and maxima; so do ONNX's as they are used here.
import type { KernelCall } from './kernel-graph.ts';
import type { LowerCall, Lowering } from './lowering.ts';
import { inputOf, outputOf } from './operands.ts';
import { padsOf, perAxis, requireChannelsLast, spatial } from './windows.ts';

function pool(opType: string, attributes: Readonly<Record<string, number>>): LowerCall {
  return (call, to) => {
    const x = inputOf(call, 'x');
    const result = to.writer.node(opType, [to.take(x, 'first')], { ...windowOf(call, to, x), ...attributes });
    to.give(outputOf(call), result, 'first');
  };
}

function windowOf(call: KernelCall, to: Lowering, x: number) {
  requireChannelsLast(call);
  const input = spatial(to.shapeOf(x));
  const output = spatial(to.shapeOf(outputOf(call)));
  const size = perAxis(call.attributes.filterSize, input.length);
  const strides = perAxis(call.attributes.strides, input.length);
  const dilations = size.map(() => 1);
  return {
    kernel_shape: size,
    strides,
    pads: padsOf(call.attributes.pad, { input, output, size, strides, dilations }),
  };
}

const average = pool('AveragePool', { count_include_pad: 0 });
const largest = pool('MaxPool', {});

export const POOLING: Readonly<Record<string, LowerCall>> = {
  AvgPool: average,
  AvgPool3D: average,
  MaxPool: largest,
  MaxPool3D: largest,
};
