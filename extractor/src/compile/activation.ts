// Activations: kernels of their own, and those that TensorFlow.js fuses into convolutions and matrix products.
import { numberAttribute } from './attributes.ts';
import type { KernelCall } from './kernel-graph.ts';
import type { Layout, LowerCall, Lowering } from './lowering.ts';
import { inputOf, operand, outputOf } from './operands.ts';

type WriteActivation = (x: string, to: Lowering, attributes: KernelCall['attributes']) => string;

const clip = (x: string, to: Lowering, low: number, high: number): string =>
  to.writer.node('Clip', [x, to.writer.scalar(low), to.writer.scalar(high)]);

const ACTIVATIONS: Readonly<Record<string, WriteActivation>> = {
  Relu: (x, to) => to.writer.node('Relu', [x]),
  Relu6: (x, to) => clip(x, to, 0, 6),
  ClipByValue: (x, to, attributes) =>
    clip(x, to, numberAttribute(attributes, 'clipValueMin'), numberAttribute(attributes, 'clipValueMax')),
  Sigmoid: (x, to) => to.writer.node('Sigmoid', [x]),
  Elu: (x, to) => to.writer.node('Elu', [x]),
  Selu: (x, to) => to.writer.node('Selu', [x]),
  Softplus: (x, to) => to.writer.node('Softplus', [x]),
  LeakyRelu: (x, to, { alpha }) => to.writer.node('LeakyRelu', [x], { alpha: { float: Number(alpha ?? 0.2) } }),
};

/** Kernels by the names that fused kernels have for them. */
export const FUSED: Readonly<Record<string, string>> = {
  relu: 'Relu',
  relu6: 'Relu6',
  sigmoid: 'Sigmoid',
  elu: 'Elu',
  leakyrelu: 'LeakyRelu',
};

/** The activation that a fused kernel ends with. @param layout of `result` */
export function activate(call: KernelCall, to: Lowering, result: string, layout: Layout): string {
  const { activation, leakyreluAlpha } = call.attributes;
  if (activation === undefined || activation === null || activation === 'linear') return result;
  const { preluActivationWeights: slope } = call.inputs;
  if (activation === 'prelu' && slope !== undefined) {
    return to.writer.node('PRelu', [result, operand(to, slope, to.rankOf(outputOf(call)), layout)]);
  }
  const write = ACTIVATIONS[FUSED[String(activation)] ?? ''];
  if (write === undefined) throw new Error(`Expected a known activation of ${call.kernel} but received ${activation}`);
  return write(result, to, { alpha: leakyreluAlpha });
}

const prelu: LowerCall = (call, to) => {
  const x = inputOf(call, 'x');
  const layout = to.layoutOf(x);
  const slope = operand(to, inputOf(call, 'alpha'), to.rankOf(x), layout);
  to.give(outputOf(call), to.writer.node('PRelu', [to.take(x, layout), slope]), layout);
};

function standalone(write: WriteActivation): LowerCall {
  return (call, to) => {
    const x = inputOf(call, 'x');
    const layout = to.layoutOf(x);
    to.give(outputOf(call), write(to.take(x, layout), to, call.attributes), layout);
  };
}

export const ACTIVATION: Readonly<Record<string, LowerCall>> = {
  ...Object.fromEntries(Object.entries(ACTIVATIONS).map(([kernel, write]) => [kernel, standalone(write)])),
  Prelu: prelu,
};
