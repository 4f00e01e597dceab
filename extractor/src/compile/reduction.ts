// Reductions over axes, softmax, and what finds or adds up along an axis.
import { booleanAttribute, numberAttribute, numbersAttribute } from './attributes.ts';
import type { KernelCall } from './kernel-graph.ts';
import { axisIn, type Layout, type LowerCall, type Lowering } from './lowering.ts';
import { DATA_TYPES } from './onnx-schema.ts';
import { inputOf, outputOf } from './operands.ts';

/** ONNX has these for the whole of space; runtimes keep their own layout through them. */
const GLOBAL: Readonly<Record<string, string>> = { ReduceMean: 'GlobalAveragePool', ReduceMax: 'GlobalMaxPool' };

/** @param attribute the kernel's own name for its axes */
function reduce(opType: string, attribute = 'axis'): LowerCall {
  return (call, to) => {
    const x = inputOf(call, 'x');
    const rank = to.rankOf(x);
    const axes = numbersAttribute(call.attributes, attribute).map(axis => (axis < 0 ? axis + rank : axis));
    const keepDims = booleanAttribute(call.attributes, 'keepDims');
    const output = outputOf(call);
    const pooled = GLOBAL[opType];
    const layout = to.layoutOf(x);
    if (pooled !== undefined && layout === 'first' && isWholeSpace(axes, rank)) {
      const kept = to.writer.node(pooled, [to.take(x, 'first')]);
      if (keepDims) to.give(output, kept, 'first');
      else to.give(output, to.writer.node('Flatten', [kept], { axis: 1 }));
      return;
    }
    // Without the reduced axes the others would stand in another order.
    const taken: Layout = keepDims || isChannelFree(axes, rank) ? layout : 'last';
    const places = axes.map(axis => axisIn(axis, rank, taken));
    const result = to.writer.node(opType, [to.take(x, taken), to.writer.list(places)], { keepdims: keepDims ? 1 : 0 });
    to.give(output, result, keepDims ? taken : 'last');
  };
}

function isWholeSpace(axes: readonly number[], rank: number): boolean {
  return rank === 4 && axes.length === 2 && axes.includes(1) && axes.includes(2);
}

/** Whether only the batch and the channels are left: in either layout they stand in this order. */
function isChannelFree(axes: readonly number[], rank: number): boolean {
  return axes.length === rank - 2 && axes.every(axis => axis > 0 && axis < rank - 1);
}

const softmax =
  (opType: string): LowerCall =>
  (call, to) => {
    const logits = inputOf(call, 'logits');
    const rank = to.rankOf(logits);
    const axis = typeof call.attributes.dim === 'number' ? call.attributes.dim : -1;
    const layout = to.layoutOf(logits);
    const result = to.writer.node(opType, [to.take(logits, layout)], { axis: axisIn(axis, rank, layout) });
    to.give(outputOf(call), result, layout);
  };

const findExtreme =
  (opType: string): LowerCall =>
  (call, to) => {
    const x = inputOf(call, 'x');
    const [axis = 0] = numbersAttribute(call.attributes, 'axis');
    const found = to.writer.node(opType, [to.take(x)], { axis: axisIn(axis, to.rankOf(x), 'last'), keepdims: 0 });
    to.give(outputOf(call), to.writer.node('Cast', [found], { to: DATA_TYPES.int32 }));
  };

const cumulate: LowerCall = (call: KernelCall, to: Lowering) => {
  const axis = to.writer.list([
    axisIn(numberAttribute(call.attributes, 'axis'), to.rankOf(inputOf(call, 'x')), 'last'),
  ]);
  const [exclusive, reverse] = ['exclusive', 'reverse'].map(name => (booleanAttribute(call.attributes, name) ? 1 : 0));
  const result = to.writer.node('CumSum', [to.take(inputOf(call, 'x')), axis], { exclusive, reverse });
  to.give(outputOf(call), result);
};

export const REDUCTION: Readonly<Record<string, LowerCall>> = {
  Mean: reduce('ReduceMean'),
  Sum: reduce('ReduceSum'),
  Max: reduce('ReduceMax', 'reductionIndices'),
  Min: reduce('ReduceMin'),
  Prod: reduce('ReduceProd'),
  Softmax: softmax('Softmax'),
  LogSoftmax: softmax('LogSoftmax'),
  ArgMax: findExtreme('ArgMax'),
  ArgMin: findExtreme('ArgMin'),
  Cumsum: cumulate,
};
