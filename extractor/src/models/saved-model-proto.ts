// saved_model.pb as far as this project reads it: signatures, nodes, functions. Field numbers: TensorFlow's saved_model.proto,
// meta_graph.proto, graph.proto, node_def.proto, function.proto, attr_value.proto, tensor_shape.proto.
import type { GraphShape } from './graph-nodes.ts';
import { readFields, textOf, type WireField } from './protobuf.ts';

/** A NodeDef. */
export interface NodeProto {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  /** AttrValue messages by name. */
  readonly attributes: ReadonlyMap<string, Uint8Array>;
}

/** A FunctionDef. */
export interface FunctionProto {
  readonly name: string;
  readonly args: readonly string[];
  readonly nodes: readonly NodeProto[];
  /** The tensors it returns, in the order of its outputs. */
  readonly returns: readonly string[];
}

export interface TensorInfoProto {
  readonly name: string;
  /** DataType's number. */
  readonly type: number;
  readonly shape: GraphShape | undefined;
}

export interface SignatureProto {
  readonly key: string;
  readonly whole: Uint8Array;
  readonly inputs: ReadonlyMap<string, TensorInfoProto>;
  readonly outputs: ReadonlyMap<string, TensorInfoProto>;
}

export interface MetaGraphProto {
  readonly tags: readonly string[];
  /** All fields, to write the message again. */
  readonly fields: readonly WireField[];
  readonly signatures: readonly SignatureProto[];
  readonly nodes: readonly NodeProto[];
  readonly functions: ReadonlyMap<string, FunctionProto>;
}

/** DataType's numbers and names, as far as a tensor of a vision model has them. */
export const DATA_TYPES: ReadonlyMap<number, string> = new Map([
  [1, 'DT_FLOAT'],
  [2, 'DT_DOUBLE'],
  [3, 'DT_INT32'],
  [4, 'DT_UINT8'],
  [5, 'DT_INT16'],
  [6, 'DT_INT8'],
  [7, 'DT_STRING'],
  [8, 'DT_COMPLEX64'],
  [9, 'DT_INT64'],
  [10, 'DT_BOOL'],
  [14, 'DT_BFLOAT16'],
  [17, 'DT_UINT16'],
  [19, 'DT_HALF'],
  [20, 'DT_RESOURCE'],
  [21, 'DT_VARIANT'],
]);

/** Fields of the messages that are written again. */
export const META_GRAPH = { graph: 2, signature: 5, objects: 7 } as const;

/** The graph to serve: the one with the tag `serve`, else the first. @throws Error for bytes that are no SavedModel */
export function readMetaGraph(file: Uint8Array): MetaGraphProto {
  const graphs = [...readFields(file)].filter(field => field.number === 2).map(field => metaGraphOf(field.bytes));
  const graph = graphs.find(({ tags }) => tags.includes('serve')) ?? graphs[0];
  if (graph === undefined) throw new Error('Expected a graph but the file holds none');
  return graph;
}

function metaGraphOf(bytes: Uint8Array): MetaGraphProto {
  const fields = [...readFields(bytes)];
  const tags = fields
    .filter(field => field.number === 1)
    .flatMap(info => [...readFields(info.bytes)].filter(field => field.number === 4).map(textOf));
  const nodes: NodeProto[] = [];
  const functions = new Map<string, FunctionProto>();
  for (const graph of fields.filter(field => field.number === META_GRAPH.graph)) {
    for (const field of readFields(graph.bytes)) {
      if (field.number === 1) nodes.push(nodeOf(field.bytes));
      for (const entry of field.number === 2 ? readFields(field.bytes) : []) {
        if (entry.number !== 1) continue;
        const read = functionOf(entry.bytes);
        functions.set(read.name, read);
      }
    }
  }
  const signatures = fields.filter(field => field.number === META_GRAPH.signature).map(signatureOf);
  return { tags, fields, signatures, nodes, functions };
}

function nodeOf(bytes: Uint8Array): NodeProto {
  let [name, op] = ['', ''];
  const inputs: string[] = [];
  const attributes = new Map<string, Uint8Array>();
  for (const field of readFields(bytes)) {
    if (field.number === 1) name = textOf(field);
    else if (field.number === 2) op = textOf(field);
    else if (field.number === 3) inputs.push(textOf(field));
    else if (field.number === 5) attributes.set(...entryOf(field.bytes));
  }
  return { name, op, inputs, attributes };
}

function functionOf(bytes: Uint8Array): FunctionProto {
  let name = '';
  const args: string[] = [];
  const outputs: string[] = [];
  const nodes: NodeProto[] = [];
  const returned = new Map<string, string>();
  for (const field of readFields(bytes)) {
    if (field.number === 3) nodes.push(nodeOf(field.bytes));
    else if (field.number === 4) {
      const [key, value] = entryOf(field.bytes);
      returned.set(key, Buffer.from(value).toString('utf8'));
    } else if (field.number === 1) {
      for (const part of readFields(field.bytes)) {
        if (part.number === 1) name = textOf(part);
        else if (part.number === 2) args.push(textAt(part.bytes, 1));
        else if (part.number === 3) outputs.push(textAt(part.bytes, 1));
      }
    }
  }
  return { name, args, nodes, returns: outputs.map(output => returned.get(output) ?? output) };
}

function signatureOf(field: WireField): SignatureProto {
  const [key, bytes] = entryOf(field.bytes);
  const inputs = new Map<string, TensorInfoProto>();
  const outputs = new Map<string, TensorInfoProto>();
  for (const part of readFields(bytes)) {
    if (part.number !== 1 && part.number !== 2) continue;
    const [name, info] = entryOf(part.bytes);
    (part.number === 1 ? inputs : outputs).set(name, tensorInfoOf(info));
  }
  return { key, whole: field.whole, inputs, outputs };
}

function tensorInfoOf(bytes: Uint8Array): TensorInfoProto {
  let [name, type] = ['', 0];
  let shape: GraphShape | undefined;
  for (const field of readFields(bytes)) {
    if (field.number === 1) name = textOf(field);
    else if (field.number === 2) type = field.value;
    else if (field.number === 3) shape = shapeOf(field.bytes);
  }
  return { name, type, shape };
}

/** A TensorShapeProto; undefined for an open rank. */
export function shapeOf(bytes: Uint8Array): GraphShape | undefined {
  const fields = [...readFields(bytes)];
  if (fields.some(field => field.number === 3 && field.value === 1)) return undefined;
  return fields
    .filter(field => field.number === 2)
    .map(dim => {
      const size = [...readFields(dim.bytes)].find(part => part.number === 1)?.value ?? 0;
      // -1 is an open axis.
      return size >= 0 && size < 2 ** 53 ? size : null;
    });
}

/** The kinds of AttrValue that are read here. */
export interface AttributeValue {
  readonly integer?: number;
  /** DataType's number. */
  readonly type?: number;
  readonly shape?: { readonly axes: GraphShape | undefined };
  readonly shapes?: readonly (GraphShape | undefined)[];
  /** A TensorProto. */
  readonly tensor?: Uint8Array;
  readonly functionName?: string;
  /** It stands for a value that the caller gives. */
  readonly isPlaceholder?: boolean;
}

export function attributeOf(bytes: Uint8Array | undefined): AttributeValue {
  if (bytes === undefined) return {};
  const [field] = readFields(bytes);
  if (field === undefined) return {};
  const kinds: Readonly<Record<number, () => AttributeValue>> = {
    1: () => ({
      shapes: [...readFields(field.bytes)].filter(part => part.number === 7).map(part => shapeOf(part.bytes)),
    }),
    3: () => ({ integer: field.value }),
    6: () => ({ type: field.value }),
    7: () => ({ shape: { axes: shapeOf(field.bytes) } }),
    8: () => ({ tensor: field.bytes }),
    9: () => ({ isPlaceholder: true }),
    10: () => ({ functionName: textAt(field.bytes, 1) }),
  };
  return kinds[field.number]?.() ?? {};
}

/** Type, shape and, up to `most`, values of a TensorProto. */
export function tensorOf(bytes: Uint8Array, most: number): { size: number; type: number; values?: readonly number[] } {
  let [size, type] = [1, 0];
  let content: Uint8Array = new Uint8Array();
  const floats: number[] = [];
  for (const field of readFields(bytes)) {
    if (field.number === 1) type = field.value;
    else if (field.number === 2)
      size = (shapeOf(field.bytes) ?? []).reduce<number>((product, axis) => product * (axis ?? 0), 1);
    else if (field.number === 4) content = field.bytes;
    else if (field.number === 5 && floats.length < most) floats.push(...float32Of(field.bytes.subarray(0, most * 4)));
    // Ten bytes are the longest varint.
    else if (field.number === 7 && floats.length < most && field.bytes.length <= most * 10)
      floats.push(...int32Of(field));
  }
  if (size > most || size === 0) return { size, type };
  if (type === 1 && content.length === size * 4) return { size, type, values: float32Of(content) };
  const last = floats.at(-1);
  // Repeated values at the end are written once.
  if (last !== undefined) return { size, type, values: Array.from({ length: size }, (_, i) => floats[i] ?? last) };
  return { size, type };
}

/** A negative number is written as its complement to 2^64, which a double cannot hold: the lower 32 bits say it. */
function int32Of({ whole, bytes }: WireField): number[] {
  const values: number[] = [];
  let [value, shift] = [0, 0];
  // Not packed, there is one number behind the tag's byte.
  for (const byte of bytes.length > 0 ? bytes : whole.subarray(1)) {
    if (shift < 32) value |= (byte & 127) << shift;
    shift += 7;
    if (byte < 128) {
      values.push(value);
      [value, shift] = [0, 0];
    }
  }
  return values;
}

function float32Of(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, index) => view.getFloat32(index * 4, true));
}

/** Key and value of a map's entry. */
function entryOf(bytes: Uint8Array): [string, Uint8Array] {
  let key = '';
  let value: Uint8Array = new Uint8Array();
  for (const field of readFields(bytes)) {
    if (field.number === 1) key = textOf(field);
    else if (field.number === 2) value = field.bytes;
  }
  return [key, value];
}

function textAt(bytes: Uint8Array, number: number): string {
  const field = [...readFields(bytes)].find(part => part.number === number);
  return field === undefined ? '' : textOf(field);
}
