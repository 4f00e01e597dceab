// saved_model.pb again, with inlined nodes in its main graph and one signature whose outputs are the wanted tensors.
import type { TensorRef } from './graph-nodes.ts';
import { encodeField } from './protobuf.ts';
import type { SavedModelGraph } from './saved-model-graph.ts';
import type { InlinedNode } from './saved-model-inline.ts';
import { DATA_TYPES, META_GRAPH } from './saved-model-proto.ts';

/** Key of the only signature that the written file has. */
export const SIGNATURE = 'layertap';
export const IMAGE_KEY = 'image';
/** Key of the output of that position. */
export const outputKey = (position: number): string => `output_${position}`;

/** The loader runs it before the first use. */
const INIT_SIGNATURE = '__saved_model_init_op';
/** TensorFlow.js reads none of them: they leave the graph as float32. */
const CAST = new Set([
  'DT_HALF',
  'DT_BFLOAT16',
  'DT_DOUBLE',
  'DT_INT64',
  'DT_INT16',
  'DT_INT8',
  'DT_UINT16',
  'DT_UINT8',
]);

export function writeSavedModel({ meta, inlined, graph }: SavedModelGraph, wanted: readonly TensorRef[]): Uint8Array {
  const types = new Map(graph.nodes.map(node => [node.name, node.elementType]));
  const casts: Uint8Array[] = [];
  const outputs = wanted.map((tensor, position) => {
    const type = tensor.output === 0 ? types.get(tensor.node) : undefined;
    if (type === undefined || !CAST.has(type)) return tensor;
    const node = `layertap_cast_${position}`;
    casts.push(castNode(node, tensor, type));
    return { node, output: 0 };
  });
  const added = neededNodes(inlined.nodes, wanted).map(nodeProto);
  const nodes = [...added, ...casts].map(node => encodeField(1, node));
  const kept = meta.fields.flatMap(field => {
    if (field.number === META_GRAPH.graph)
      return [encodeField(META_GRAPH.graph, Buffer.concat([field.bytes, ...nodes]))];
    return field.number === META_GRAPH.signature || field.number === META_GRAPH.objects ? [] : [field.whole];
  });
  const init = meta.signatures.filter(({ key }) => key === INIT_SIGNATURE).map(({ whole }) => whole);
  const signature = signatureEntry(graph.image, outputs);
  const metaGraph = Buffer.concat([...kept, ...init, encodeField(META_GRAPH.signature, signature)]);
  // Version 1 of the format, and the graph.
  return Buffer.concat([Uint8Array.of(0x08, 1), encodeField(2, metaGraph)]);
}

/** The new nodes on the way to the wanted tensors. */
function neededNodes(nodes: readonly InlinedNode[], wanted: readonly TensorRef[]): InlinedNode[] {
  const byName = new Map(nodes.map(node => [node.name, node]));
  const needed = new Set<string>();
  const open = wanted.map(tensor => tensor.node);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (needed.has(name)) continue;
    needed.add(name);
    const node = byName.get(name);
    if (node?.isNew === true) open.push(...node.inputs.map(input => input.node));
  }
  return nodes.filter(node => node.isNew && needed.has(node.name));
}

/** A NodeDef. Control inputs stay behind: they only order checks and updates, which inference has none of. */
function nodeProto({ proto, name, inputs }: InlinedNode): Uint8Array {
  // Attributes that begin with _ speak of other nodes or of the way it was traced.
  const attributes = [...proto.attributes].filter(([key]) => !key.startsWith('_'));
  return Buffer.concat([
    text(1, name),
    text(2, proto.op),
    ...inputs.map(input => text(3, tensorName(input))),
    ...attributes.map(([key, value]) => encodeField(5, mapEntry(key, value))),
  ]);
}

function castNode(name: string, input: TensorRef, type: string): Uint8Array {
  return Buffer.concat([
    text(1, name),
    text(2, 'Cast'),
    text(3, tensorName(input)),
    encodeField(5, mapEntry('SrcT', typeValue(type))),
    encodeField(5, mapEntry('DstT', typeValue('DT_FLOAT'))),
  ]);
}

/** An entry of the map of signatures: a SignatureDef under its key. */
function signatureEntry(image: SavedModelGraph['graph']['image'], outputs: readonly TensorRef[]): Uint8Array {
  const imageInfo = tensorInfo({ node: image.node, output: 0 }, image.elementType);
  return mapEntry(
    SIGNATURE,
    Buffer.concat([
      encodeField(1, mapEntry(IMAGE_KEY, imageInfo)),
      ...outputs.map((output, position) =>
        encodeField(2, mapEntry(outputKey(position), tensorInfo(output, 'DT_FLOAT'))),
      ),
      text(3, 'tensorflow/serving/predict'),
    ]),
  );
}

function tensorInfo(tensor: TensorRef, type: string): Uint8Array {
  // tfjs-node wants a shape, if only one of open rank.
  const shape = encodeField(3, Uint8Array.of(3 * 8, 1));
  return Buffer.concat([text(1, tensorName(tensor)), Uint8Array.of(2 * 8, typeNumber(type)), shape]);
}

/** AttrValue with a type. */
function typeValue(type: string): Uint8Array {
  return Uint8Array.of(6 * 8, typeNumber(type));
}

function typeNumber(type: string): number {
  const [number] = [...DATA_TYPES].find(([, name]) => name === type) ?? [];
  if (number === undefined) throw new Error(`Expected a known element type but received ${type}`);
  return number;
}

function tensorName({ node, output }: TensorRef): string {
  return `${node}:${output}`;
}

function mapEntry(key: string, value: Uint8Array): Uint8Array {
  return Buffer.concat([text(1, key), encodeField(2, value)]);
}

function text(number: number, value: string): Uint8Array {
  return encodeField(number, Buffer.from(value, 'utf8'));
}
