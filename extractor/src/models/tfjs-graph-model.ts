// Reader of TensorFlow.js graph models (model.json with a node list and weight shards), without native code.
import { Refusal } from '../../../shared/src/errors.ts';
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import type { ModelFile } from '../model.ts';
import { digestFiles } from './digest.ts';
import { describeGraph } from './graph-layers.ts';
import {
  type GraphInput,
  type GraphNode,
  type GraphShape,
  type ImageGraph,
  imageInputOf,
  parseTensorName,
  type TensorRef,
} from './graph-nodes.ts';
import { findInputPreparation } from './graph-preparation.ts';
import { knownOrProbedShapes } from './graph-shapes.ts';
import { type GraphModelFiles, type NodeJson, shapeOf } from './tfjs-graph-model-files.ts';
import { readWeightValues } from './tfjs-weight-values.ts';

/** In the order of the manifest. */
export function digestGraphModel({ path, weightFiles }: GraphModelFiles): Promise<string> {
  return digestFiles([path, ...weightFiles.map(file => file.path)]);
}

export async function describeGraphModel(files: GraphModelFiles): Promise<ModelFile> {
  const graph = imageGraphOf(files);
  const preprocessing = await findInputPreparation(graph, node => readWeightValues(files, node));
  const { table } = describeGraph(graph, preprocessing);
  const { path, format } = files;
  return {
    path,
    format,
    sha256: await digestGraphModel(files),
    table,
    shapesFor: (inputShape, layers) => knownOrProbedShapes({ path, format, table }, inputShape, layers),
  };
}

/**
 * The graph as its own nodes tell it, with the image input found.
 * @throws Refusal `model-unreadable` where no input takes images
 */
export function imageGraphOf(files: GraphModelFiles): ImageGraph {
  const weights = new Map(files.weightSpecs.map(spec => [spec.name, spec]));
  const nodes = files.topology.node.map((json): GraphNode => {
    const spec = weights.get(json.name);
    const elementType = spec === undefined ? elementTypeOf(json) : spec.dtype === 'float32' ? 'DT_FLOAT' : 'DT_INT32';
    const outputCount = countOf(json);
    return {
      name: json.name,
      label: json.name,
      op: json.op,
      inputs: (json.input ?? []).flatMap(input => parseTensorName(input) ?? []),
      outputShapes: json.attr?._output_shapes?.list?.shape?.map(shapeOf) ?? [],
      ...(outputCount !== undefined && { outputCount }),
      ...(elementType !== undefined && { elementType }),
      ...(spec !== undefined && { size: sizeOfShape(spec.shape) }),
    };
  });
  requireInputs(files.path, nodes);
  const inputs = inputsOf(files);
  const image = imageInputOf(inputs);
  if (image === undefined) throw noImageInput(files.path, inputs);
  const defaults = new Set(nodes.filter(node => node.op === 'PlaceholderWithDefault').map(node => node.name));
  return {
    nodes,
    image,
    otherInputs: inputs.map(input => input.node).filter(node => node !== image.node && !defaults.has(node)),
    outputs: outputsOf(files, nodes),
  };
}

/** @throws Refusal `model-unreadable`, with the names and shapes of what inputs there are */
export function noImageInput(path: string, inputs: readonly GraphInput[]): Refusal {
  const list = inputs.map(({ node, shape }) => `'${node}' [${shape?.map(axis => axis ?? '?').join(', ') ?? '?'}]`);
  const received = list.length === 0 ? 'no input' : list.join(', ');
  const expected = `Expected an input of shape [rows, height, width, channels] in ${path}`;
  return new Refusal('model-unreadable', `${expected} but received ${received}`, {
    hint: 'Only models that take images can be run: decoded pixels, channels last.',
  });
}

/** All placeholders, the signature's first and with what it says about them. */
function inputsOf({ topology, signature }: GraphModelFiles): GraphInput[] {
  const declared = new Map(
    Object.values(signature?.inputs ?? {}).map(info => [parseTensorName(info.name)?.node ?? '', info]),
  );
  const placeholders = topology.node.filter(node => node.op.startsWith('Placeholder'));
  const inputs = placeholders.map(json => {
    const info = declared.get(json.name);
    const shape: GraphShape | undefined = shapeOf(json.attr?.shape?.shape) ?? shapeOf(info?.tensorShape);
    return { node: json.name, shape, elementType: String(json.attr?.dtype?.type ?? info?.dtype ?? 'DT_FLOAT') };
  });
  const order = [...declared.keys()];
  const rank = (node: string): number => (order.includes(node) ? order.indexOf(node) : order.length);
  return inputs.sort((a, b) => rank(a.node) - rank(b.node));
}

/** What the signature names, else what no node takes. */
function outputsOf({ signature }: GraphModelFiles, nodes: readonly GraphNode[]): TensorRef[] {
  const names = new Set(nodes.map(node => node.name));
  const declared = Object.values(signature?.outputs ?? {}).flatMap(info => parseTensorName(info.name) ?? []);
  const known = declared.filter(({ node }) => names.has(node));
  if (known.length > 0) return known;
  const taken = new Set(nodes.flatMap(node => node.inputs.map(input => input.node)));
  return nodes.filter(({ name }) => !taken.has(name)).map(({ name }) => ({ node: name, output: 0 }));
}

/** A damaged file can name nodes that aren't there: TensorFlow.js would fail deep inside. */
function requireInputs(path: string, nodes: readonly GraphNode[]): void {
  const names = new Set(nodes.map(node => node.name));
  for (const node of nodes) {
    const absent = node.inputs.find(input => !names.has(input.node));
    if (absent === undefined) continue;
    throw new Refusal('model-unreadable', `Expected a node '${absent.node}' in ${path}, which '${node.name}' takes`, {
      hint: 'The file may be damaged: copy or convert the model again.',
    });
  }
}

/** Of the first output: attributes that name it go before the one of the inputs. */
function elementTypeOf({ op, attr }: NodeJson): string | undefined {
  const given = attr?.DstT ?? attr?.output_type ?? attr?.out_type ?? attr?.dtype ?? attr?.T;
  return given?.type === undefined || /Arg(Max|Min)/.test(op) ? undefined : String(given.type);
}

function countOf({ op, attr }: NodeJson): number | undefined {
  const given = op === 'Unpack' ? attr?.num : op.startsWith('Split') ? attr?.num_split : undefined;
  return given?.i === undefined ? undefined : Number(given.i);
}
