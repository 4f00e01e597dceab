// The graph inside an ONNX file: nodes, tensors and their shapes, read without copying weights. Field numbers: onnx.proto.
import { readFields, textOf, varintsOf, type WireField } from './protobuf.ts';

/** An axis: its size, or null where the file leaves it open. */
export type OnnxShape = readonly (number | null)[];

export interface OnnxTensor {
  readonly name: string;
  /** Undefined where the file doesn't say. */
  readonly shape: OnnxShape | undefined;
  /** Element type as in TensorProto.DataType: 1 is float32; 0 where the file doesn't say. */
  readonly elementType: number;
}

export interface OnnxNode {
  readonly field: WireField;
  readonly opType: string;
  /** Tensors it takes, those that its inner graphs take from outside included. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Number of values that the node itself holds: some exporters write weights as Constant nodes. */
  readonly constants: number;
  /** Its attributes of whole numbers, such as `axis` and `perm`, by name. */
  readonly integers: ReadonlyMap<string, readonly number[]>;
}

export interface OnnxWeight {
  readonly field: WireField;
  readonly name: string;
  /** Number of values, 0 for shapes and axes. */
  readonly parameters: number;
  /** Its values lie in another file. */
  readonly isExternal: boolean;
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly weights: readonly OnnxWeight[];
  /** Without the weights, which old files list among the inputs. */
  readonly inputs: readonly OnnxTensor[];
  readonly outputs: readonly OnnxTensor[];
  /** Shapes of tensors inside the graph, where the file holds them. */
  readonly known: ReadonlyMap<string, OnnxTensor>;
}

/** TensorProto.DataType.INT64 */
const INT64 = 7;

/** Field numbers of ModelProto and GraphProto that this project reads or changes. */
export const MODEL_OPSET = 8;
export const MODEL_GRAPH = 7;
export const GRAPH = { node: 1, initializer: 5, input: 11, output: 12, valueInfo: 13 } as const;

/** @param graph the bytes of a GraphProto */
export function readGraph(graph: Uint8Array): OnnxGraph {
  const nodes: OnnxNode[] = [];
  const weights: OnnxWeight[] = [];
  const inputs: OnnxTensor[] = [];
  const outputs: OnnxTensor[] = [];
  const known = new Map<string, OnnxTensor>();
  for (const field of readFields(graph)) {
    if (field.number === GRAPH.node) nodes.push(readNode(field));
    else if (field.number === GRAPH.initializer) weights.push(readWeight(field));
    else if (field.number === GRAPH.input) inputs.push(readValueInfo(field.bytes));
    else if (field.number === GRAPH.output) outputs.push(readValueInfo(field.bytes));
    else if (field.number === GRAPH.valueInfo) {
      const tensor = readValueInfo(field.bytes);
      known.set(tensor.name, tensor);
    }
  }
  for (const tensor of [...inputs, ...outputs]) known.set(tensor.name, tensor);
  const weightNames = new Set(weights.map(weight => weight.name));
  return { nodes, weights, inputs: inputs.filter(input => !weightNames.has(input.name)), outputs, known };
}

function readNode(field: WireField): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  let opType = '';
  let constants = 0;
  const integers = new Map<string, readonly number[]>();
  for (const part of readFields(field.bytes)) {
    if (part.number === 1) inputs.push(textOf(part));
    else if (part.number === 2) outputs.push(textOf(part));
    else if (part.number === 4) opType = textOf(part);
    else if (part.number === 5) {
      inputs.push(...outerInputs(part.bytes));
      constants += constantsOf(part.bytes);
      integers.set(...integersOf(part.bytes));
    }
  }
  // An empty name stands for an optional tensor that isn't there.
  return {
    field,
    opType,
    inputs: inputs.filter(name => name !== ''),
    outputs: outputs.filter(name => name !== ''),
    constants,
    integers,
  };
}

/** The size of the tensor in an attribute, if it holds one. */
function constantsOf(attribute: Uint8Array): number {
  const tensor = [...readFields(attribute)].find(field => field.number === 5);
  return tensor === undefined ? 0 : readWeight(tensor).parameters;
}

/** Name and values of an attribute; it has no values where it is of another type. */
function integersOf(attribute: Uint8Array): [string, readonly number[]] {
  let name = '';
  const values: number[] = [];
  for (const field of readFields(attribute)) {
    if (field.number === 1) name = textOf(field);
    else if (field.number === 3) values.push(signed(field));
    else if (field.number === 8) values.push(...varintsOf(field));
  }
  return [name, values];
}

/** A negative number is written as its complement to 2^64, which the reader of varints cannot hold exactly. */
function signed({ value, whole }: WireField): number {
  if (value < 2 ** 63) return value;
  const [, ...digits] = whole;
  return -1 - digits.slice(0, 9).reduce((sum, digit, place) => sum + (127 - (digit % 128)) * 128 ** place, 0);
}

/** What the inner graphs of an attribute (the branches of an If, the body of a Loop) take; their own tensors do no harm. */
function outerInputs(attribute: Uint8Array): string[] {
  const graphs = [...readFields(attribute)].filter(field => field.number === 6 || field.number === 11);
  return graphs.flatMap(field => {
    const inner = readGraph(field.bytes);
    return [...inner.nodes.flatMap(node => node.inputs), ...inner.outputs.map(output => output.name)];
  });
}

function readWeight(field: WireField): OnnxWeight {
  let name = '';
  let size = 1;
  let isInteger = false;
  let isExternal = false;
  for (const part of readFields(field.bytes)) {
    if (part.number === 1) size *= varintsOf(part).reduce((product, axis) => product * axis, 1);
    else if (part.number === 2) isInteger = part.value === INT64;
    else if (part.number === 8) name = textOf(part);
    else if (part.number === 14) isExternal = part.value === 1;
  }
  // Shapes and axes are int64: no parameters.
  return { field, name, parameters: isInteger ? 0 : size, isExternal };
}

export function readValueInfo(bytes: Uint8Array): OnnxTensor {
  let name = '';
  let shape: OnnxShape | undefined;
  let elementType = 0;
  for (const part of readFields(bytes)) {
    if (part.number === 1) name = textOf(part);
    const tensorType = part.number === 2 ? [...readFields(part.bytes)].find(type => type.number === 1) : undefined;
    for (const type of tensorType === undefined ? [] : readFields(tensorType.bytes)) {
      if (type.number === 1) elementType = type.value;
      if (type.number === 2) shape = [...readFields(type.bytes)].filter(dim => dim.number === 1).map(readDimension);
    }
  }
  return { name, shape, elementType };
}

/** An axis without a value, with a name instead or with 0, is open. */
function readDimension(field: WireField): number | null {
  const size = [...readFields(field.bytes)].find(part => part.number === 1)?.value ?? 0;
  return size > 0 && size < 2 ** 53 ? size : null;
}
