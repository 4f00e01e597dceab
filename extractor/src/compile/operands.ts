// Inputs of kernels that work element by element: brought to one rank and one layout.
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import type { KernelCall } from './kernel-graph.ts';
import { type Layout, type Lowering, permuted, toFirst, transposeData } from './lowering.ts';

export function inputOf({ inputs, kernel }: KernelCall, name: string): number {
  const value = inputs[name];
  if (value === undefined) throw new Error(`Expected an input ${name} of ${kernel}`);
  return value;
}

/** Of a kernel with one output. */
export function outputOf({ outputs, kernel }: KernelCall): number {
  const [value] = outputs;
  if (value === undefined) throw new Error(`Expected an output of ${kernel}`);
  return value;
}

/** In the order of the list that the kernel took. */
export function listOf({ inputs }: KernelCall): readonly number[] {
  const count = Object.keys(inputs).length;
  return Array.from({ length: count }, (_, index) => {
    const value = inputs[index];
    if (value === undefined) throw new Error('Expected a list of tensors');
    return value;
  });
}

/** Channels first where one of them has them so already and all others can follow. */
function commonLayout(to: Lowering, values: readonly number[], rank: number): Layout {
  const dynamic = values.filter(value => to.constantOf(value) === undefined);
  const canFollow = dynamic.every(value => to.rankOf(value) === rank);
  return canFollow && dynamic.some(value => to.layoutOf(value) === 'first') ? 'first' : 'last';
}

/** Writes what comes of several values, element by element, in the layout that costs least. */
export function combine(
  call: KernelCall,
  to: Lowering,
  values: readonly number[],
  write: (tensors: readonly string[], layout: Layout) => string,
): void {
  const output = outputOf(call);
  const rank = to.rankOf(output);
  const layout = commonLayout(to, values, rank);
  const tensors = values.map(value => operand(to, value, rank, layout));
  to.give(output, write(tensors, layout), layout);
}

/** A value that is broadcast against tensors of a rank. Only constants may be of a lower one where channels stand first. */
export function operand(to: Lowering, value: number, rank: number, layout: Layout): string {
  const data = to.constantOf(value);
  const shape = to.shapeOf(value);
  if (layout === 'last' || shape.every(({ size }) => size === 1)) return to.take(value);
  if (data === undefined || shape.some(({ perRow }) => perRow)) return to.take(value, layout);
  const lengths = [...Array.from({ length: rank - shape.length }, () => 1), ...shape.map(({ size }) => size)];
  const perm = toFirst(rank);
  // Axes of length 1 don't move anything.
  const isVector = lengths.filter(length => length !== 1).length <= 1 && sizeOfShape(lengths) === data.length;
  return to.writer.constant(isVector ? data : transposeData(data, lengths, perm), permuted(lengths, perm));
}
