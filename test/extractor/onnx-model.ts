// A small ONNX file with fixed random weights, written byte by byte: for tests of reader and engine.
import { encodeField } from '../../extractor/src/models/protobuf.ts';
import { sampleValues } from './small-model.ts';

export interface SmallOnnxOptions {
  /** Of the input; null leaves the axis open. @default [null, 3, 8, 6] */
  readonly inputDims?: readonly (number | null)[];
  /** Lists the weights among the inputs, as old exporters do. @default false */
  readonly weightsAsInputs?: boolean;
  /** Rows that the reshape inside is fixed to. @default any */
  readonly reshapeRows?: number;
}

export const KERNEL = sampleValues([4, 3, 3, 3], 3).map(value => value - 0.5);
export const BIAS = sampleValues([4], 4).map(value => value - 0.5);

/** image → conv → relu → pool → flat → scores; beside them `unused`, a node that nothing needs. */
export function smallOnnx(options: SmallOnnxOptions = {}): Uint8Array {
  const weights = [
    floatTensor('kernel', [4, 3, 3, 3], KERNEL),
    floatTensor('bias', [4], BIAS),
    floatTensor(
      'matrix',
      [4, 5],
      sampleValues([4, 5], 5).map(value => value - 0.5),
    ),
    floatTensor('spare', [1], Float32Array.of(2)),
    int64Tensor('rows', [options.reshapeRows ?? -1, 4]),
  ];
  const nodes = [
    node('Conv', ['image', 'kernel', 'bias'], 'conv', [intsAttribute('pads', [1, 1, 1, 1])]),
    node('Relu', ['conv'], 'relu'),
    node('Mul', ['relu', 'spare'], 'unused'),
    node('GlobalAveragePool', ['relu'], 'pool'),
    node('Reshape', ['pool', 'rows'], 'flat'),
    node('MatMul', ['flat', 'matrix'], 'logits'),
    node('Softmax', ['logits'], 'scores', [intAttribute('axis', 1)]),
  ];
  const image = valueInfo('image', options.inputDims ?? [null, 3, 8, 6]);
  const inputs = [
    image,
    ...(options.weightsAsInputs === true ? [valueInfo('kernel', [4, 3, 3, 3]), valueInfo('spare', [1])] : []),
  ];
  return onnxModel({
    nodes,
    weights,
    inputs,
    outputs: [valueInfo('scores', [null, 5]), valueInfo('unused', [null, 4, 8, 6])],
  });
}

export interface OnnxParts {
  readonly nodes: readonly Uint8Array[];
  readonly weights?: readonly Uint8Array[];
  readonly inputs: readonly Uint8Array[];
  readonly outputs: readonly Uint8Array[];
}

export function onnxModel({ nodes, weights = [], inputs, outputs }: OnnxParts): Uint8Array {
  const graph = [
    ...nodes.map(bytes => encodeField(1, bytes)),
    encodeField(2, text('small')),
    ...weights.map(bytes => encodeField(5, bytes)),
    ...inputs.map(bytes => encodeField(11, bytes)),
    ...outputs.map(bytes => encodeField(12, bytes)),
  ];
  return Buffer.concat([
    varintField(1, 8),
    encodeField(2, text('test')),
    encodeField(7, Buffer.concat(graph)),
    encodeField(8, varintField(2, 17)),
    encodeField(14, Buffer.concat([encodeField(1, text('kept')), encodeField(2, text('metadata'))])),
  ]);
}

/** @param output several are written with a space between */
export function node(
  opType: string,
  inputs: readonly string[],
  output: string,
  attributes: readonly Uint8Array[] = [],
): Uint8Array {
  return Buffer.concat([
    ...inputs.map(input => encodeField(1, text(input))),
    ...output.split(' ').map(name => encodeField(2, text(name))),
    encodeField(4, text(opType)),
    ...attributes.map(attribute => encodeField(5, attribute)),
  ]);
}

export function intAttribute(name: string, value: number): Uint8Array {
  return Buffer.concat([encodeField(1, text(name)), int64Field(3, value), varintField(20, 2)]);
}

export function intsAttribute(name: string, values: readonly number[]): Uint8Array {
  return Buffer.concat([encodeField(1, text(name)), ...values.map(value => varintField(8, value)), varintField(20, 7)]);
}

export function floatTensor(name: string, dims: readonly number[], values: Float32Array): Uint8Array {
  return tensor(name, dims, 1, new Uint8Array(values.slice().buffer));
}

export function int64Tensor(name: string, values: readonly number[]): Uint8Array {
  return tensor(name, [values.length], 7, new Uint8Array(BigInt64Array.from(values, BigInt).buffer));
}

/** A float32 tensor whose values lie in another file. @param entries such as location, offset, length */
export function externalTensor(
  name: string,
  dims: readonly number[],
  entries: Readonly<Record<string, string>>,
): Uint8Array {
  const data = Object.entries(entries).map(([key, value]) =>
    encodeField(13, Buffer.concat([encodeField(1, text(key)), encodeField(2, text(value))])),
  );
  const sizes = dims.map(size => varintField(1, size));
  return Buffer.concat([...sizes, varintField(2, 1), encodeField(8, text(name)), ...data, varintField(14, 1)]);
}

function tensor(name: string, dims: readonly number[], type: number, raw: Uint8Array): Uint8Array {
  const sizes = dims.map(size => varintField(1, size));
  return Buffer.concat([...sizes, varintField(2, type), encodeField(8, text(name)), encodeField(9, raw)]);
}

/** @param elementType TensorProto.DataType: 1 is float32 */
export function valueInfo(name: string, dims: readonly (number | null)[], elementType = 1): Uint8Array {
  const axes = dims.map(size => encodeField(1, size === null ? encodeField(2, text('open')) : varintField(1, size)));
  const tensorType = Buffer.concat([varintField(1, elementType), encodeField(2, Buffer.concat(axes))]);
  return Buffer.concat([encodeField(1, text(name)), encodeField(2, encodeField(1, tensorType))]);
}

/** Negative numbers above -129 take ten bytes. */
function int64Field(number: number, value: number): Uint8Array {
  if (value >= 0) return varintField(number, value);
  return Uint8Array.from([number * 8, 256 + value, ...Array<number>(8).fill(255), 1]);
}

/** For numbers below 128. */
function varintField(number: number, value: number): Uint8Array {
  const tag = number * 8;
  return Uint8Array.from([...(tag < 128 ? [tag] : [(tag % 128) + 128, tag >> 7]), value]);
}

function text(value: string): Uint8Array {
  return Buffer.from(value);
}
