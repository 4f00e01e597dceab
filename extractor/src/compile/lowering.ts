// The tensors of a kernel graph while it becomes ONNX. A tensor may exist in several forms: TensorFlow.js has channels last,
// ONNX's convolutions want them first, and another shape over the same elements costs nothing until somebody asks for it.
// Forms are made when they are taken, so a chain of convolutions never goes back to channels last in between.
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import { CannotCompile } from './cannot-compile.ts';
import type { Axis, KernelCall, KernelGraph, KernelValue } from './kernel-graph.ts';
import type { OnnxWriter } from './onnx-writer.ts';
import type { NumberData } from './trace.ts';

/** Where the channels stand. `first`: behind the batch axis. */
export type Layout = 'last' | 'first';

/** Writes the nodes of one call. One per kernel, in the file of its family. */
export type LowerCall = (call: KernelCall, to: Lowering) => void;

interface Form {
  readonly tensor: string;
  /** As with channels last, whatever the layout. */
  readonly shape: readonly Axis[];
  readonly layout: Layout;
}

export class Lowering {
  readonly writer: OnnxWriter;
  /** Whether 3 × 3 convolutions may be written with fewer multiplications. */
  readonly winograd: boolean;
  private readonly graph: KernelGraph;
  /** Forms of the same elements: values that are reshapes of each other share one list. */
  private readonly forms = new Map<number, Form[]>();

  constructor(graph: KernelGraph, writer: OnnxWriter, winograd = false) {
    this.graph = graph;
    this.writer = writer;
    this.winograd = winograd;
  }

  valueOf(value: number): KernelValue {
    const found = this.graph.values[value];
    if (found === undefined) throw new Error(`Expected the graph to have a value ${value}`);
    return found;
  }

  shapeOf(value: number): readonly Axis[] {
    return this.valueOf(value).shape;
  }

  rankOf(value: number): number {
    return this.shapeOf(value).length;
  }

  /** Undefined for what depends on the images. */
  constantOf(value: number): NumberData | undefined {
    return this.valueOf(value).data;
  }

  /** The layout that costs nothing. */
  layoutOf(value: number): Layout {
    const shape = this.shapeOf(value);
    const [form] = this.forms.get(value) ?? [];
    return form !== undefined && form.layout === 'first' && isSameShape(form.shape, shape) ? 'first' : 'last';
  }

  give(value: number, tensor: string, layout: Layout = 'last'): void {
    this.forms.set(value, [{ tensor, shape: this.shapeOf(value), layout }]);
  }

  /** A tensor with channels last that has the elements in another shape. */
  giveAs(value: number, tensor: string, shape: readonly Axis[]): void {
    this.forms.set(value, [{ tensor, shape, layout: 'last' }]);
  }

  /** The value has the elements of another one, in the same order. */
  giveReshaped(value: number, source: number): void {
    this.forms.set(value, this.formsOf(source));
  }

  take(value: number, layout: Layout = 'last'): string {
    return this.takeShaped(value, this.shapeOf(value), layout);
  }

  /** Another shape over the same elements. */
  takeShaped(value: number, shape: readonly Axis[], layout: Layout = 'last'): string {
    const forms = this.formsOf(value);
    const find = (wanted: Layout): Form | undefined =>
      forms.find(form => form.layout === wanted && isSameShape(form.shape, shape));
    const found = find(layout);
    if (found !== undefined) return found.tensor;
    const other = find(layout === 'first' ? 'last' : 'first');
    if (other !== undefined) return this.add(forms, this.turn(other.tensor, shape, layout), shape, layout);
    if (layout === 'first')
      return this.add(forms, this.turn(this.takeShaped(value, shape), shape, 'first'), shape, 'first');
    const [base] = forms;
    if (base === undefined) throw new Error(`Expected value ${value} to have been computed`);
    const source = base.layout === 'last' ? base.tensor : this.takeShaped(value, base.shape);
    return this.add(forms, this.writer.node('Reshape', [source, this.writer.list(lengthsOf(shape))]), shape, 'last');
  }

  private add(forms: Form[], tensor: string, shape: readonly Axis[], layout: Layout): string {
    forms.push({ tensor, shape, layout });
    return tensor;
  }

  private formsOf(value: number): Form[] {
    const known = this.forms.get(value);
    if (known !== undefined) return known;
    const { shape, data } = this.valueOf(value);
    if (data === undefined) throw new Error(`Expected value ${value} to have been computed`);
    const forms: Form[] = [{ tensor: this.writeConstant(data, shape), shape, layout: 'last' }];
    this.forms.set(value, forms);
    return forms;
  }

  private writeConstant(data: NumberData, shape: readonly Axis[]): string {
    const row = this.writer.constant(
      data,
      shape.map(({ size }) => size),
    );
    const axis = shape.findIndex(({ perRow }) => perRow);
    return axis === -1 ? row : this.repeatPerRow(row, shape, axis);
  }

  /** As many copies along one axis as there are images: how many, only the input tells. */
  private repeatPerRow(row: string, shape: readonly Axis[], axis: number): string {
    const { writer } = this;
    if (shape[axis]?.size !== 1) throw new CannotCompile('it repeats a constant with the images in another order');
    const input = this.take(this.graph.inputs[0] ?? 0);
    const rows = writer.node('Slice', [writer.node('Shape', [input]), writer.list([0]), writer.list([1])]);
    const lengths = shape.map(({ size, perRow }) => (perRow ? rows : writer.list([size])));
    return writer.node('Expand', [row, writer.node('Concat', lengths, { axis: 0 })]);
  }

  /** Into the other layout. Where only axes of length 1 change places, no element moves. */
  private turn(tensor: string, shape: readonly Axis[], layout: Layout): string {
    const rank = shape.length;
    const perm = layout === 'first' ? toFirst(rank) : toLast(rank);
    const target = layout === 'first' ? permuted(shape, perm) : shape;
    if (hasOneAxis(shape)) return this.writer.node('Reshape', [tensor, this.writer.list(lengthsOf(target))]);
    return this.writer.node('Transpose', [tensor], { perm });
  }
}

/** Whether at most one axis behind the batch is longer than 1: then their order doesn't matter. */
function hasOneAxis([, ...axes]: readonly Axis[]): boolean {
  return axes.filter(({ perRow, size }) => perRow || size !== 1).length <= 1;
}

export function isSameShape(a: readonly Axis[], b: readonly Axis[]): boolean {
  return (
    a.length === b.length && a.every(({ size, perRow }, axis) => size === b[axis]?.size && perRow === b[axis]?.perRow)
  );
}

/** For Reshape: the batch axis is what is left over. */
export function lengthsOf(shape: readonly Axis[]): readonly number[] {
  if (shape.filter(({ perRow }) => perRow).length > 1) {
    throw new CannotCompile('it reshapes a tensor to several axes that grow with the number of images');
  }
  return shape.map(({ size, perRow }) => (perRow ? -1 : size));
}

/** The place of an axis in a layout. */
export function axisIn(axis: number, rank: number, layout: Layout): number {
  const plain = axis < 0 ? axis + rank : axis;
  return layout === 'last' ? plain : toFirst(rank).indexOf(plain);
}

export function permuted<T>(axes: readonly T[], perm: readonly number[]): readonly T[] {
  return perm.map(axis => axes[axis] as T);
}

export function toFirst(rank: number): readonly number[] {
  return [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, axis) => axis + 1)];
}

function toLast(rank: number): readonly number[] {
  return [0, ...Array.from({ length: rank - 2 }, (_, axis) => axis + 2), 1];
}

/** The data of a constant with its axes in another order. */
export function transposeData<T extends NumberData>(data: T, shape: readonly number[], perm: readonly number[]): T {
  const strides = shape.map((_, axis) => sizeOfShape(shape.slice(axis + 1)));
  const [lengths, steps] = [permuted(shape, perm), permuted(strides, perm)];
  const outer = lengths.slice(0, -1);
  const [rowLength = 1, rowStep = 1] = [lengths.at(-1), steps.at(-1)];
  const result = data.slice() as T;
  const index = outer.map(() => 0);
  let row = 0;
  for (let target = 0; target < result.length; target += rowLength) {
    for (let i = 0; i < rowLength; i++) result[target + i] = data[row + i * rowStep] as number;
    // On to the next row: the last of the outer axes turns fastest.
    for (let axis = outer.length - 1; axis >= 0; axis--) {
      const next = (index[axis] as number) + 1;
      row += steps[axis] as number;
      index[axis] = next;
      if (next < (outer[axis] as number)) break;
      row -= (steps[axis] as number) * next;
      index[axis] = 0;
    }
  }
  return result;
}
