// Matrix products. TensorFlow.js wraps the product of two matrices into batches of one: those are taken off again.
import { activate } from './activation.ts';
import { booleanAttribute } from './attributes.ts';
import type { Axis, KernelCall } from './kernel-graph.ts';
import { isSameShape, type LowerCall, type Lowering, permuted, transposeData } from './lowering.ts';
import { inputOf, listOf, outputOf } from './operands.ts';

const multiply: LowerCall = (call, to) => {
  const [a, b] = [inputOf(call, 'a'), inputOf(call, 'b')];
  const output = outputOf(call);
  // [1, m, k] × [1, k, n] is [m, k] × [k, n], and what stands around it often is a matrix already.
  const isMatrix = [a, b, output].every(value => isBatchOfOne(to.shapeOf(value)));
  const left = side(to, a, booleanAttribute(call.attributes, 'transposeA'), isMatrix);
  const right = side(to, b, booleanAttribute(call.attributes, 'transposeB'), isMatrix);
  const product = to.writer.node('MatMul', [left, right]);
  const result = activate(call, to, withBias(call, to, product), 'last');
  if (isMatrix) to.giveAs(output, result, to.shapeOf(output).slice(1));
  else to.give(output, result);
};

function isBatchOfOne([first, ...others]: readonly Axis[]): boolean {
  return others.length === 2 && isSameShape([first ?? { size: 0, perRow: false }], [{ size: 1, perRow: false }]);
}

function side(to: Lowering, value: number, isTransposed: boolean, isMatrix: boolean): string {
  const shape = isMatrix ? to.shapeOf(value).slice(1) : to.shapeOf(value);
  const data = to.constantOf(value);
  const lengths = shape.map(({ size }) => size);
  const perm = [...lengths.keys()].slice(0, -2).concat(lengths.length - 1, lengths.length - 2);
  if (data !== undefined && shape.every(({ perRow }) => !perRow)) {
    return isTransposed
      ? to.writer.constant(transposeData(data, lengths, perm), permuted(lengths, perm))
      : to.writer.constant(data, lengths);
  }
  const tensor = to.takeShaped(value, shape);
  return isTransposed ? to.writer.node('Transpose', [tensor], { perm }) : tensor;
}

function withBias(call: KernelCall, to: Lowering, product: string): string {
  const { bias } = call.inputs;
  return bias === undefined ? product : to.writer.node('Add', [product, to.take(bias)]);
}

/** Both sides write an equation alike, in explicit form and without ellipses. */
const einsum: LowerCall = (call, to) => {
  const tensors = listOf(call).map(value => to.take(value));
  const equation = String(call.attributes.equation).replaceAll(/\s/g, '');
  to.give(outputOf(call), to.writer.node('Einsum', tensors, { equation }));
};

export const PRODUCT: Readonly<Record<string, LowerCall>> = {
  BatchMatMul: multiply,
  _FusedMatMul: multiply,
  Einsum: einsum,
};
