// The kernels that a model runs, for any number of images: two traces with different numbers of rows, joined. An axis
// whose length grows with the rows is one of the batch; all others are fixed.
import type * as tf from '@tensorflow/tfjs';
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import { tfjs } from '../tfjs.ts';
import { CannotCompile } from './cannot-compile.ts';
import { type NumberData, type Trace, type TracedCall, type TracedValue, trace } from './trace.ts';

export interface Axis {
  /** Of a batch axis the length per row: 1, or more where another axis was folded into it. */
  readonly size: number;
  readonly perRow: boolean;
}

export interface KernelValue {
  readonly shape: readonly Axis[];
  readonly dtype: TracedValue['dtype'];
  /** Of a constant. Where it has a batch axis, one row of it: all rows are equal. */
  readonly data?: NumberData;
}

export type KernelCall = TracedCall;

export interface KernelGraph {
  readonly values: readonly KernelValue[];
  readonly calls: readonly KernelCall[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/** One row more would do, but a batch of 1 is special: some operations drop axes of length 1. */
const ROWS = [2, 3] as const;
/** Longer constants are weights: that they are no function of the batch shows in their shapes. */
const LONGEST_COMPARED = 4096;
/** Attributes that hold lengths of the batch; the lowering takes them from the shapes instead. */
const SHAPE_ATTRIBUTES = new Set(['shape', 'size', 'inputShape', 'reps']);

/**
 * Runs the model twice on small batches of zeros, on the current backend of TensorFlow.js.
 * @param inputShapes of one row each, without the batch axis
 * @param run synchronous, and a pure function of its inputs
 * @throws CannotCompile where the model's course depends on values or on the number of rows
 */
export function traceKernels(
  inputShapes: readonly (readonly number[])[],
  run: (inputs: readonly tf.Tensor[]) => readonly tf.Tensor[],
): KernelGraph {
  const first = traceRows(ROWS[0], inputShapes, run, Number.POSITIVE_INFINITY);
  return joinTraces(first, traceRows(ROWS[1], inputShapes, run, LONGEST_COMPARED));
}

function traceRows(
  rows: number,
  inputShapes: readonly (readonly number[])[],
  run: (inputs: readonly tf.Tensor[]) => readonly tf.Tensor[],
  longest: number,
): Trace {
  const inputs = inputShapes.map(shape => tfjs().zeros([rows, ...shape]));
  try {
    return trace(inputs, () => run(inputs), longest);
  } finally {
    for (const input of inputs) input.dispose();
  }
}

function joinTraces(first: Trace, second: Trace): KernelGraph {
  const sameCourse =
    first.calls.length === second.calls.length &&
    first.values.length === second.values.length &&
    first.calls.every((call, index) => isSameCall(call, second.calls[index]));
  if (!sameCourse) throw new CannotCompile('it computes in another way for another number of images');
  const values = first.values.map((value, index) => joinValues(value, second.values[index] ?? value));
  return { values, calls: first.calls, inputs: first.inputs, outputs: first.outputs };
}

function isSameCall(first: TracedCall, second: TracedCall | undefined): boolean {
  return second !== undefined && describeCall(first) === describeCall(second);
}

function describeCall({ kernel, inputs, attributes, outputs }: TracedCall): string {
  const kept = Object.entries(attributes).filter(([name]) => !SHAPE_ATTRIBUTES.has(name));
  return JSON.stringify([kernel, inputs, kept, outputs]);
}

function joinValues(first: TracedValue, second: TracedValue): KernelValue {
  const shape = first.shape.map((length, axis) => joinAxes(length, second.shape[axis] ?? length));
  if (first.isConstant !== second.isConstant)
    throw new CannotCompile('it computes in another way for another number of images');
  if (first.data === undefined) return { shape, dtype: first.dtype };
  const data = first.data.subarray(0, sizeOfShape(shape.map(({ size }) => size)));
  if (!isRepeated(first.data, data) || !isRepeated(second.data ?? data, data)) {
    throw new CannotCompile('it computes with constants that depend on the number of images');
  }
  return { shape, dtype: first.dtype, data };
}

function joinAxes(first: number, second: number): Axis {
  if (first === second) return { size: first, perRow: false };
  if (first * ROWS[1] === second * ROWS[0]) return { size: first / ROWS[0], perRow: true };
  throw new CannotCompile(`it has an axis of ${first} for ${ROWS[0]} images and of ${second} for ${ROWS[1]}`);
}

/** Whether `data` over and over gives `whole`. Of long ones only the length is compared. */
function isRepeated(whole: NumberData, data: NumberData): boolean {
  if (whole.length === data.length && whole.length > LONGEST_COMPARED) return true;
  return whole.every((value, index) => Object.is(value, data[index % data.length]));
}
