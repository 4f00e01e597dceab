// The graph inside an ONNX file: nodes, tensors and their shapes, read without copying weights. Field numbers: onnx.proto.

import { type OnnxWeight, readWeight } from './onnx-tensor.ts';
import { type OnnxTensor, readValueInfo } from './onnx-value-info.ts';
import { readFields, textOf, varintsOf, type WireField } from './protobuf.ts';

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
  /** The tensor that a Constant node holds. */
  readonly value: OnnxWeight | undefined;
}

export interface OnnxGraph {
  /** What the file calls it; empty where it doesn't. */
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly weights: readonly OnnxWeight[];
  /** Names of weights in sparse form, which are kept as they are. */
  readonly sparse: readonly string[];
  /** Without the weights, which old files list among the inputs. */
  readonly inputs: readonly OnnxTensor[];
  readonly outputs: readonly OnnxTensor[];
  /** Shapes of tensors inside the graph, where the file holds them. */
  readonly known: ReadonlyMap<string, OnnxTensor>;
  /** Weights whose values lie in other files, those of inner graphs included. */
  readonly externals: readonly OnnxWeight[];
}

/** Field numbers of ModelProto and GraphProto that this project reads or changes. */
export const MODEL_OPSET = 8;
export const MODEL_GRAPH = 7;
export const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12, valueInfo: 13, sparse: 15 } as const;

/** Bounds what a damaged or hostile file can make of a few bytes; no model in use comes near. */
const MOST_FIELDS = 200_000;
const DEEPEST_GRAPH = 32;
const MOST_NUMBERS = 4096;

/**
 * @param graph the bytes of a GraphProto
 * @param depth how many graphs it lies in
 */
export function readGraph(graph: Uint8Array, depth = 0): OnnxGraph {
  if (depth > DEEPEST_GRAPH) throw new Error(`Expected graphs nested at most ${DEEPEST_GRAPH} deep`);
  let name = '';
  let fields = 0;
  const nodes: OnnxNode[] = [];
  const weights: OnnxWeight[] = [];
  const sparse: string[] = [];
  const inputs: OnnxTensor[] = [];
  const outputs: OnnxTensor[] = [];
  const externals: OnnxWeight[] = [];
  const known = new Map<string, OnnxTensor>();
  for (const field of readFields(graph)) {
    if (++fields > MOST_FIELDS) throw new Error(`Expected at most ${MOST_FIELDS} nodes and tensors in a graph`);
    if (field.number === GRAPH.node) {
      const { node, inner } = readNode(field, depth);
      nodes.push(node);
      externals.push(...inner);
    } else if (field.number === GRAPH.name) name = textOf(field);
    else if (field.number === GRAPH.initializer) weights.push(readWeight(field));
    else if (field.number === GRAPH.input) inputs.push(readValueInfo(field.bytes));
    else if (field.number === GRAPH.output) outputs.push(readValueInfo(field.bytes));
    else if (field.number === GRAPH.sparse) sparse.push(...sparseName(field.bytes));
    else if (field.number === GRAPH.valueInfo) {
      const tensor = readValueInfo(field.bytes);
      known.set(tensor.name, tensor);
    }
  }
  for (const tensor of [...inputs, ...outputs]) known.set(tensor.name, tensor);
  for (const weight of weights) if (weight.external !== undefined) externals.push(weight);
  const weightNames = new Set([...weights.map(weight => weight.name), ...sparse]);
  const given = inputs.filter(input => !weightNames.has(input.name));
  return { name, nodes, weights, sparse, inputs: given, outputs, known, externals };
}

/** A SparseTensorProto is called as its values are. */
function sparseName(bytes: Uint8Array): string[] {
  return [...readFields(bytes)].filter(field => field.number === 1).map(field => readWeight(field).name);
}

function readNode(field: WireField, depth: number): { node: OnnxNode; inner: readonly OnnxWeight[] } {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const inner: OnnxWeight[] = [];
  let opType = '';
  let constants = 0;
  let value: OnnxWeight | undefined;
  const integers = new Map<string, readonly number[]>();
  for (const part of readFields(field.bytes)) {
    if (part.number === 1) inputs.push(textOf(part));
    else if (part.number === 2) outputs.push(textOf(part));
    else if (part.number === 4) opType = textOf(part);
    else if (part.number === 5) {
      const attribute = readAttribute(part.bytes, depth);
      inputs.push(...attribute.inputs);
      inner.push(...attribute.externals);
      constants += attribute.constants;
      value ??= attribute.tensor;
      integers.set(attribute.name, attribute.integers);
    }
  }
  const node: OnnxNode = {
    field,
    opType,
    // An empty name stands for an optional tensor that isn't there.
    inputs: inputs.filter(name => name !== ''),
    outputs: outputs.filter(name => name !== ''),
    constants,
    integers,
    value,
  };
  return { node, inner };
}

interface Attribute {
  readonly name: string;
  /** Empty where it is of another type, or holds too many to matter here. */
  readonly integers: readonly number[];
  readonly tensor: OnnxWeight | undefined;
  /** What its inner graphs (the branches of an If, the body of a Loop) take from outside. */
  readonly inputs: readonly string[];
  readonly constants: number;
  readonly externals: readonly OnnxWeight[];
}

function readAttribute(bytes: Uint8Array, depth: number): Attribute {
  let name = '';
  let constants = 0;
  let tensor: OnnxWeight | undefined;
  const integers: number[] = [];
  const inputs: string[] = [];
  const externals: OnnxWeight[] = [];
  for (const field of readFields(bytes)) {
    if (field.number === 1) name = textOf(field);
    else if (field.number === 3) integers.push(field.value);
    else if (field.number === 8 && field.bytes.length <= MOST_NUMBERS && integers.length < MOST_NUMBERS) {
      integers.push(...varintsOf(field, MOST_NUMBERS));
    } else if (field.number === 5) {
      tensor = readWeight(field);
      constants += tensor.parameters;
      if (tensor.external !== undefined) externals.push(tensor);
    } else if (field.number === 6 || field.number === 11) {
      const graph = readGraph(field.bytes, depth + 1);
      inputs.push(...outerTensors(graph));
      constants += graph.weights.reduce((sum, weight) => sum + weight.parameters, 0);
      constants += graph.nodes.reduce((sum, node) => sum + node.constants, 0);
      externals.push(...graph.externals);
    }
  }
  return { name, integers, tensor, inputs, constants, externals };
}

/** What an inner graph takes or gives without making it itself. */
function outerTensors(graph: OnnxGraph): readonly string[] {
  const own = new Set([
    ...graph.inputs.map(input => input.name),
    ...graph.weights.map(weight => weight.name),
    ...graph.sparse,
    ...graph.nodes.flatMap(node => node.outputs),
  ]);
  const taken = [...graph.nodes.flatMap(node => node.inputs), ...graph.outputs.map(output => output.name)];
  return taken.filter(name => !own.has(name));
}
