// Watches TensorFlow.js run a model once, and writes down which kernels it calls on which tensors. What a kernel computes
// from constants alone is a constant itself and is not written down: so weights are folded by having been run.
import type * as tf from '@tensorflow/tfjs';
import { tfjs } from '../tfjs.ts';
import { CannotCompile } from './cannot-compile.ts';

export type NumberData = Float32Array | Int32Array | Uint8Array;

/** A tensor that a kernel took or gave. */
export interface TracedValue {
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32' | 'bool';
  readonly isConstant: boolean;
  /** Of a constant, unless it is longer than was asked for. */
  readonly data?: NumberData;
}

/** One call of a kernel. Values are positions in `Trace.values`. */
export interface TracedCall {
  readonly kernel: string;
  /** By TensorFlow.js' own names of the kernel's inputs; numbered where it takes a list. Absent ones left out. */
  readonly inputs: Readonly<Record<string, number>>;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly outputs: readonly number[];
}

export interface Trace {
  readonly values: readonly TracedValue[];
  readonly calls: readonly TracedCall[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

type Given = Readonly<Record<string, tf.Tensor>> | readonly tf.Tensor[];
/** What is watched of TensorFlow.js' engine. */
interface WatchedEngine {
  runKernel(kernel: string, given: Given, attributes?: Readonly<Record<string, unknown>>): tf.Tensor | tf.Tensor[];
  readSync(dataId: object): unknown;
}

/**
 * Runs the model on the current backend.
 * @param run a pure function of the inputs that is synchronous; it must not keep or dispose tensors of others
 * @param longest constants of more numbers are not copied
 * @throws CannotCompile where a value that depends on the inputs is read, as control flow does
 */
export function trace(inputs: readonly tf.Tensor[], run: () => readonly tf.Tensor[], longest: number): Trace {
  const recorder = new Recorder(inputs, longest);
  const engine = tfjs().engine() as unknown as WatchedEngine;
  const { runKernel, readSync } = engine;
  let depth = 0;
  engine.runKernel = (kernel, given, attributes) => {
    depth++;
    try {
      const result = runKernel.call(engine, kernel, given, attributes);
      // A kernel may be made of others: the outermost is the one with a meaning.
      if (depth === 1) recorder.record(kernel, given, attributes ?? {}, Array.isArray(result) ? result : [result]);
      return result;
    } finally {
      depth--;
    }
  };
  engine.readSync = dataId => {
    if (depth === 0) recorder.requireConstant(dataId);
    return readSync.call(engine, dataId);
  };
  tfjs().engine().startScope();
  try {
    return recorder.finish(run());
  } finally {
    tfjs().engine().endScope();
    engine.runKernel = runKernel;
    engine.readSync = readSync;
  }
}

class Recorder {
  private readonly values: TracedValue[] = [];
  private readonly calls: TracedCall[] = [];
  /** By the tensor's id: those that depend on the inputs, and the constants that were taken. */
  private readonly positions = new Map<number, number>();
  private readonly dynamic = new Set<number>();
  private readonly dynamicData = new WeakSet<object>();
  private readonly inputs: readonly number[];

  private readonly longest: number;

  constructor(inputs: readonly tf.Tensor[], longest: number) {
    this.longest = longest;
    this.inputs = inputs.map(tensor => this.add(tensor, true));
  }

  record(
    kernel: string,
    given: Given,
    attributes: Readonly<Record<string, unknown>>,
    results: readonly tf.Tensor[],
  ): void {
    const taken = Object.entries(given).filter(([, tensor]) => tensor !== undefined && tensor !== null);
    if (!taken.some(([, tensor]) => this.dynamic.has(tensor.id))) return;
    this.calls.push({
      kernel,
      inputs: Object.fromEntries(taken.map(([name, tensor]) => [name, this.positionOf(tensor)])),
      attributes,
      outputs: results.map(tensor => this.add(tensor, true)),
    });
  }

  requireConstant(dataId: object): void {
    if (!this.dynamicData.has(dataId)) return;
    const kernel = this.calls.at(-1)?.kernel ?? 'the input';
    throw new CannotCompile(`its course depends on values that it computes (read after ${kernel})`);
  }

  finish(outputs: readonly tf.Tensor[]): Trace {
    const positions = outputs.map(tensor => this.positionOf(tensor));
    return { values: this.values, calls: this.calls, inputs: this.inputs, outputs: positions };
  }

  private positionOf(tensor: tf.Tensor): number {
    return this.positions.get(tensor.id) ?? this.add(tensor, false);
  }

  private add(tensor: tf.Tensor, isDynamic: boolean): number {
    const { id, shape, dtype } = tensor;
    if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool') {
      throw new CannotCompile(`it computes with tensors of the type ${dtype}`);
    }
    const position = this.values.length;
    this.positions.set(id, position);
    if (isDynamic) {
      this.dynamic.add(id);
      this.dynamicData.add(tensor.dataId);
    }
    const isCopied = !isDynamic && tensor.size <= this.longest;
    this.values.push({
      shape,
      dtype,
      isConstant: !isDynamic,
      ...(isCopied && { data: tensor.dataSync() as NumberData }),
    });
    return position;
  }
}
