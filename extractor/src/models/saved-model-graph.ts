// A SavedModel as a graph that takes images: the signature to serve, its functions inlined, nodes with shapes and types.
import { Refusal } from '../../../shared/src/errors.ts';
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import { type GraphInput, type GraphNode, type ImageGraph, imageInputOf, parseTensorName } from './graph-nodes.ts';
import { type InlinedGraph, type InlinedNode, inlineFunctions } from './saved-model-inline.ts';
import {
  attributeOf,
  DATA_TYPES,
  type MetaGraphProto,
  readMetaGraph,
  type SignatureProto,
  tensorOf,
} from './saved-model-proto.ts';
import { noImageInput } from './tfjs-graph-model.ts';

export interface SavedModelGraph {
  readonly meta: MetaGraphProto;
  readonly signature: SignatureProto;
  readonly inlined: InlinedGraph;
  readonly graph: ImageGraph;
}

/** Of the result, whatever the type of what is compared. */
const GIVES_BOOL = /^(Equal|NotEqual|Less|LessEqual|Greater|GreaterEqual|Is(Nan|Inf|Finite)|Logical\w+|All|Any)$/;

/**
 * @param bytes saved_model.pb
 * @param path for messages
 * @throws Refusal `model-unreadable`
 */
export function readSavedModelGraph(bytes: Uint8Array, path: string): SavedModelGraph {
  try {
    return graphOf(readMetaGraph(bytes), path);
  } catch (cause) {
    // Attributes are read as they are needed: damage in them shows late.
    if (cause instanceof Refusal) throw cause;
    throw new Refusal('model-unreadable', `Expected a SavedModel in ${path} but its ${bytes.length} bytes are none`, {
      hint: 'The file may be damaged or truncated: copy or export the model again.',
      cause,
    });
  }
}

function graphOf(meta: MetaGraphProto, path: string): SavedModelGraph {
  const signature = servingSignature(meta, path);
  const declared = [...signature.outputs.values()].flatMap(info => parseTensorName(info.name) ?? []);
  const inlined = inlineFunctions(meta.nodes, meta.functions, declared);
  const inputs = [...signature.inputs.values()].map((info): GraphInput => {
    const { node = info.name } = parseTensorName(info.name) ?? {};
    return { node, shape: info.shape, elementType: DATA_TYPES.get(info.type) ?? 'another type' };
  });
  const image = imageInputOf(inputs);
  if (image === undefined || image.elementType === 'DT_STRING') throw noImageInput(path, inputs);
  const placeholders = meta.nodes.filter(node => node.op === 'Placeholder').map(node => node.name);
  return {
    meta,
    signature,
    inlined,
    graph: {
      nodes: inlined.nodes.map(graphNodeOf),
      image,
      otherInputs: placeholders.filter(node => node !== image.node),
      outputs: declared.map(inlined.resolve),
    },
  };
}

/** `serving_default`, else the first that takes something. */
function servingSignature({ signatures }: MetaGraphProto, path: string): SignatureProto {
  const usable = signatures.filter(({ inputs, outputs }) => inputs.size > 0 && outputs.size > 0);
  const signature = usable.find(({ key }) => key === 'serving_default') ?? usable[0];
  if (signature !== undefined) return signature;
  throw new Refusal('model-unreadable', `Expected a signature with inputs and outputs in ${path} but it has none`, {
    hint: 'Export the model for serving: `model.export(…)` in Keras 3, or tf.saved_model.save with signatures.',
  });
}

function graphNodeOf({ proto, name, label, inputs }: InlinedNode): GraphNode {
  const attribute = (key: string): ReturnType<typeof attributeOf> => attributeOf(proto.attributes.get(key));
  const outputCount = proto.op === 'Unpack' ? attribute('num').integer : attribute('num_split').integer;
  const elementType = elementTypeOf(proto.op, attribute);
  const size = sizeOf(proto.op, attribute);
  return {
    name,
    label,
    op: proto.op,
    inputs,
    outputShapes: attribute('_output_shapes').shapes ?? [],
    ...(outputCount !== undefined && { outputCount: Math.min(outputCount, 1000) }),
    ...(elementType !== undefined && { elementType }),
    ...(size !== undefined && { size }),
  };
}

/** Of the first output: attributes that name it go before the one of the inputs. */
function elementTypeOf(op: string, attribute: (key: string) => { readonly type?: number }): string | undefined {
  if (GIVES_BOOL.test(op)) return 'DT_BOOL';
  const keys = ['DstT', 'output_type', 'out_type', 'dtype'];
  const type = keys.map(key => attribute(key).type).find(known => known !== undefined);
  if (type !== undefined) return DATA_TYPES.get(type);
  // Defaults are left out of the file.
  if (/^Arg(Max|Min)$/.test(op)) return 'DT_INT64';
  if (/^(Shape|Size)$/.test(op)) return 'DT_INT32';
  const { type: ofInputs } = attribute('T');
  return ofInputs === undefined ? undefined : DATA_TYPES.get(ofInputs);
}

/** Number of values of a constant or a variable. */
function sizeOf(op: string, attribute: (key: string) => ReturnType<typeof attributeOf>): number | undefined {
  if (op === 'Const') {
    const { tensor } = attribute('value');
    return tensor === undefined ? 0 : tensorOf(tensor, 0).size;
  }
  if (!/^(VarHandleOp|VariableV2|Variable)$/.test(op)) return undefined;
  return sizeOfShape((attribute('shape').shape?.axes ?? []).map(axis => axis ?? 0));
}
