// A kernel graph as an ONNX model: every call by the function of its kernel. A new kernel is one entry in its family's file.
import { ACTIVATION } from './activation.ts';
import { ARRANGEMENT } from './arrangement.ts';
import { CannotCompile } from './cannot-compile.ts';
import { CONVOLUTION } from './convolution.ts';
import { ELEMENTWISE } from './elementwise.ts';
import type { Axis, KernelGraph } from './kernel-graph.ts';
import { type LowerCall, Lowering } from './lowering.ts';
import { LOWERING } from './lowering-version.ts';
import { NORMALIZATION } from './normalization.ts';
import { DATA_TYPES } from './onnx-schema.ts';
import { OnnxWriter } from './onnx-writer.ts';
import { POOLING } from './pooling.ts';
import { PRODUCT } from './product.ts';
import { REDUCTION } from './reduction.ts';
import { RESAMPLING } from './resampling.ts';

const LOWERED: ReadonlyMap<string, LowerCall> = new Map(
  [ACTIVATION, ARRANGEMENT, CONVOLUTION, ELEMENTWISE, NORMALIZATION, POOLING, PRODUCT, REDUCTION, RESAMPLING].flatMap(
    family => Object.entries(family),
  ),
);

/** Protobuf's bound for a message, less room for the nodes. */
const MOST_BYTES = 2 ** 31 - 2 ** 24;

export interface LoweredModel {
  /** Of the inputs: [rows, height, width, channels]. */
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /**
   * Writes 3 × 3 convolutions with fewer multiplications: ONNX Runtime's kernels for processors don't do that by themselves.
   * Runtimes of graphics processors do, and want the plain ones. @default false
   */
  readonly winograd?: boolean | undefined;
}

/**
 * @returns the bytes of the model. Inputs and outputs have their axes as in TensorFlow.js, the first one of any length.
 * @throws CannotCompile naming the kernel that has no counterpart
 */
export function lowerKernels(graph: KernelGraph, model: LoweredModel): Uint8Array {
  const unknown = graph.calls.find(({ kernel }) => !LOWERED.has(kernel));
  if (unknown !== undefined) throw new CannotCompile(`it uses ${unknown.kernel}, which is not lowered to ONNX`);
  const writer = new OnnxWriter();
  writer.reserve([...model.inputNames, ...model.outputNames]);
  const to = new Lowering(graph, writer, model.winograd);
  for (const [index, input] of graph.inputs.entries()) {
    const name = model.inputNames[index] ?? `input_${index}`;
    writer.input(name, 'float32', dimsOf(to.shapeOf(input)));
    to.give(input, name);
  }
  for (const call of graph.calls) LOWERED.get(call.kernel)?.(call, to);
  for (const [index, output] of graph.outputs.entries()) {
    const { dtype, shape } = to.valueOf(output);
    const tensor = to.take(output);
    const float = dtype === 'float32' ? tensor : writer.node('Cast', [tensor], { to: DATA_TYPES.float32 });
    writer.output(model.outputNames[index] ?? `output_${index}`, float, 'float32', dimsOf(shape));
  }
  if (writer.weightBytes() > MOST_BYTES)
    throw new CannotCompile('its weights are larger than an ONNX file may be (2 GiB)');
  return writer.encode('layertap', String(LOWERING));
}

function dimsOf(shape: readonly Axis[]): readonly (number | string)[] {
  return shape.map(({ size, perRow }) => (perRow ? (size === 1 ? 'rows' : `rows*${size}`) : size));
}
