// How a layer is called in a functional config, Keras 3's records and Keras 2's nested lists alike. For read-graph.ts.
import type { Json, JsonObject } from '../layer-graph.ts';
import { isList, isObject, unwrap } from './layer-config.ts';

/** A tensor by the names of the config: output `output` of call `node` of a layer. */
export interface NamedTensor {
  readonly layer: string;
  readonly node: number;
  readonly output: number;
}

/** A constant, a tensor, or a list or record that holds tensors somewhere. */
export type NodeValue =
  | { readonly kind: 'constant'; readonly value: Json }
  | { readonly kind: 'tensor'; readonly tensor: NamedTensor }
  | { readonly kind: 'list'; readonly items: readonly NodeValue[] }
  | { readonly kind: 'record'; readonly fields: Readonly<Record<string, NodeValue>> };

export interface InboundNode {
  readonly args: readonly NodeValue[];
  readonly kwargs: Readonly<Record<string, NodeValue>>;
}

/** Keyword arguments that do not change what a layer computes at inference. */
const IGNORED = new Set(['training', 'name', 'initial_state_training']);

/** @param isLayer tells layer names of this model from other texts in Keras 2's lists */
export function readInboundNode(node: Json, isLayer: (name: string) => boolean): InboundNode {
  if (isObject(node)) {
    const args = isList(node.args) ? node.args : [];
    const kwargs = isObject(node.kwargs) ? node.kwargs : {};
    return { args: args.map(readKeras3), kwargs: readFields(kwargs, readKeras3) };
  }
  return readKeras2Node(node, isLayer);
}

/** All tensors of a node, in the order of its arguments. */
export function tensorsOf({ args, kwargs }: InboundNode): readonly NamedTensor[] {
  return [...args, ...Object.values(kwargs)].flatMap(tensorsIn);
}

export function tensorsIn(value: NodeValue): readonly NamedTensor[] {
  if (value.kind === 'tensor') return [value.tensor];
  if (value.kind === 'list') return value.items.flatMap(tensorsIn);
  return value.kind === 'record' ? Object.values(value.fields).flatMap(tensorsIn) : [];
}

/** Tensors named by `input_layers` or `output_layers`: one, a list, or a record of them. */
export function readNamedTensors(value: Json | undefined): readonly NamedTensor[] {
  if (isObject(value)) return Object.values(value).flatMap(readNamedTensors);
  if (!isList(value)) return [];
  return isReference(value) ? [referenceOf(value)] : value.flatMap(readNamedTensors);
}

function readKeras3(value: Json): NodeValue {
  if (isList(value)) return listOrConstant(value, value.map(readKeras3));
  if (!isObject(value)) return { kind: 'constant', value };
  if (value.class_name === '__keras_tensor__') {
    const history = isObject(value.config) ? value.config.keras_history : undefined;
    if (isList(history) && isReference(history)) return { kind: 'tensor', tensor: referenceOf(history) };
  }
  if (typeof value.class_name === 'string') {
    // A tuple may hold tensors; any other object is a constant.
    const items = isObject(value.config) ? value.config.value : undefined;
    if (value.class_name === '__tuple__' && isList(items)) return readKeras3(items);
    return { kind: 'constant', value: unwrap(value) };
  }
  return recordOrConstant(value, readKeras3);
}

/**
 * `[[layer, node, output, kwargs], …]`, or one such reference alone, or lists of references at any depth. Only the first
 * argument stands there; the others are the keyword arguments, repeated at each reference.
 */
function readKeras2Node(node: Json, isLayer: (name: string) => boolean): InboundNode {
  const items = isList(node) && !isKeras2Reference(node) ? node : [node];
  const first = items.map(readFirst);
  const kwargs = kwargsOf(node);
  return {
    args: first.length === 1 ? first : [{ kind: 'list', items: first }],
    kwargs: readFields(kwargs, readKeyword),
  };

  function readFirst(value: Json): NodeValue {
    if (!isList(value)) return { kind: 'constant', value: unwrap(value) };
    if (value[0] === '_CONSTANT_VALUE') return { kind: 'constant', value: unwrap(value[2] ?? null) };
    if (isKeras2Reference(value)) return { kind: 'tensor', tensor: referenceOf(value) };
    return { kind: 'list', items: value.map(readFirst) };
  }

  function readKeyword(value: Json): NodeValue {
    if (isList(value)) {
      if (value[0] === '_CONSTANT_VALUE') return { kind: 'constant', value: unwrap(value[2] ?? null) };
      if (value.length === 3 && isReference(value) && isLayer(String(value[0]))) {
        return { kind: 'tensor', tensor: referenceOf(value) };
      }
      return listOrConstant(value, value.map(readKeyword));
    }
    if (!isObject(value)) return { kind: 'constant', value };
    if (typeof value.class_name === 'string') return { kind: 'constant', value: unwrap(value) };
    return recordOrConstant(value, readKeyword);
  }
}

function kwargsOf(node: Json): JsonObject {
  if (!isList(node)) return {};
  if (isKeras2Reference(node)) return isObject(node[3]) ? node[3] : {};
  for (const item of node) {
    const kwargs = kwargsOf(item);
    if (Object.keys(kwargs).length > 0) return kwargs;
  }
  return {};
}

function readFields(fields: JsonObject, read: (value: Json) => NodeValue): Record<string, NodeValue> {
  const entries = Object.entries(fields)
    .filter(([name]) => !IGNORED.has(name))
    .map(([name, value]) => [name, read(value)] as const);
  // An absent mask is no argument.
  return Object.fromEntries(
    entries.filter(([name, value]) => !(name.endsWith('mask') && value.kind === 'constant' && value.value === null)),
  );
}

function listOrConstant(value: Json, items: readonly NodeValue[]): NodeValue {
  return items.some(holdsTensor) ? { kind: 'list', items } : { kind: 'constant', value: unwrap(value) };
}

function recordOrConstant(value: JsonObject, read: (field: Json) => NodeValue): NodeValue {
  const fields = Object.fromEntries(Object.entries(value).map(([name, field]) => [name, read(field)]));
  return Object.values(fields).some(holdsTensor)
    ? { kind: 'record', fields }
    : { kind: 'constant', value: unwrap(value) };
}

function holdsTensor(value: NodeValue): boolean {
  return tensorsIn(value).length > 0;
}

function isKeras2Reference(value: readonly Json[]): boolean {
  return isReference(value) || value[0] === '_CONSTANT_VALUE';
}

/** `[layer, node, output]`, with keyword arguments as a fourth entry in Keras 2. */
function isReference(value: readonly Json[]): boolean {
  return typeof value[0] === 'string' && typeof value[1] === 'number' && typeof value[2] === 'number';
}

function referenceOf(value: readonly Json[]): NamedTensor {
  return { layer: String(value[0]), node: Number(value[1]), output: Number(value[2]) };
}
