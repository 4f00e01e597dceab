// TensorFlow graph → layer table: what depends on the image is a layer, constants and variables are its parameters.
import type { InputPreparation, Layer, LayerTable } from '../layer-table.ts';
import { type GraphNode, type GraphShape, type ImageGraph, layerName, type TensorRef } from './graph-nodes.ts';
import { inOrder, insideControlFlow, type NodeMap, reachedFrom } from './graph-order.ts';

export interface GraphTable {
  readonly table: LayerTable;
  /** The tensor behind each layer's name. */
  readonly tensors: ReadonlyMap<string, TensorRef>;
}

/** Ops that give a string, a handle or a list of tensors instead of numbers. */
const NO_NUMBERS =
  /^(TensorList(?!Stack|GetItem|Gather|Concat|Length|ElementShape)|TensorArray(?!Read|Gather|Concat|Size)|String|AsString|HashTable|EncodeJpeg|EncodePng)/;
const NO_NUMBER_TYPES = new Set(['DT_STRING', 'DT_RESOURCE', 'DT_VARIANT', 'DT_COMPLEX64', 'DT_COMPLEX128']);

export function describeGraph(graph: ImageGraph, preprocessing: readonly InputPreparation[] = []): GraphTable {
  const byName: NodeMap = new Map(graph.nodes.map(node => [node.name, node]));
  const dependent = reachedFrom(graph, [graph.image.node]);
  const parametersOf = parameterCounter(byName, dependent);
  const reasonOf = reasons(graph, byName);
  const outputsOf = usedOutputs(graph);
  const layers: Layer[] = [];
  const tensors = new Map<string, TensorRef>();
  const nameOf = ({ node, output }: TensorRef): string => layerName(byName.get(node)?.label ?? node, output);
  for (const node of inOrder(graph.nodes, byName)) {
    if (!dependent.has(node.name)) continue;
    const inbound = node.inputs.filter(input => dependent.has(input.node) && byName.has(input.node)).map(nameOf);
    for (const output of outputsOf(node)) {
      const name = layerName(node.label, output);
      const shape = node.name === graph.image.node ? graph.image.shape : node.outputShapes[output];
      const unsupported = reasonOf(node, shape);
      tensors.set(name, { node: node.name, output });
      layers.push({
        index: layers.length,
        name,
        className: node.op,
        outputShape: rowShape(shape),
        parameters: output === 0 ? parametersOf(node) : 0,
        inbound: [...new Set(inbound)],
        ...(unsupported !== undefined && { unsupported }),
      });
    }
  }
  const modelName = commonScope(layers);
  return {
    tensors,
    table: {
      layers,
      inputShape: graph.image.shape?.slice(1) ?? [null, null, null],
      outputs: [...new Set(graph.outputs.map(nameOf))].filter(name => tensors.has(name)),
      ...(modelName !== undefined && { modelName }),
      ...(preprocessing.length > 0 && { preprocessing }),
    },
  };
}

/** Without the batch axis; a scalar per image is a feature of shape [1]. */
function rowShape(shape: GraphShape | undefined): GraphShape {
  return shape?.length === 1 ? [1] : (shape?.slice(1) ?? []);
}

/** The outputs of a node that are layers: the first, and what is used of the others. */
function usedOutputs(graph: ImageGraph): (node: GraphNode) => readonly number[] {
  const used = new Map<string, Set<number>>();
  for (const { node, output } of [...graph.nodes.flatMap(node => node.inputs), ...graph.outputs]) {
    const outputs = used.get(node) ?? new Set();
    used.set(node, outputs.add(output));
  }
  return ({ name, outputCount }) => {
    if (outputCount !== undefined) return Array.from({ length: Math.max(outputCount, 1) }, (_, output) => output);
    return [...new Set([0, ...(used.get(name) ?? [])])].sort((a, b) => a - b);
  };
}

/** Counts each constant and variable once, for the first layer that takes it; whole numbers are shapes and axes. */
function parameterCounter(byName: NodeMap, dependent: ReadonlySet<string>): (node: GraphNode) => number {
  const counted = new Set<string>();
  return layer => {
    let parameters = 0;
    const open = layer.inputs.map(input => input.node);
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      const node = dependent.has(name) || counted.has(name) ? undefined : byName.get(name);
      if (node === undefined) continue;
      counted.add(name);
      const isFloat = node.elementType === undefined || /FLOAT|HALF|DOUBLE/.test(node.elementType);
      if (node.size !== undefined && isFloat) parameters += node.size;
      open.push(...node.inputs.map(input => input.node));
    }
    return parameters;
  };
}

function reasons(
  graph: ImageGraph,
  byName: NodeMap,
): (node: GraphNode, shape: GraphShape | undefined) => string | undefined {
  const inControlFlow = insideControlFlow(graph);
  const needing = new Map<string, string>();
  for (const other of graph.otherInputs) {
    const label = byName.get(other)?.label ?? other;
    for (const name of reachedFrom(graph, [other])) needing.set(name, `it needs the input '${label}' as well`);
  }
  const anyBatch = graph.image.shape !== undefined && graph.image.shape[0] === null;
  return (node, shape) => {
    const known = needing.get(node.name) ?? inControlFlow.get(node.name);
    if (known !== undefined) return known;
    if (NO_NUMBERS.test(node.op) || NO_NUMBER_TYPES.has(node.elementType ?? '')) return 'it gives no numbers';
    // A first axis that the file fixes, where the input's is open, is not the batch.
    if (anyBatch && shape !== undefined && (shape[0] ?? null) !== null) return 'it does not give one row per image';
    return anyBatch && shape?.length === 0 ? 'it does not give one row per image' : undefined;
  };
}

/** Exporters put the model's name before its layers': the first part of their path, where most agree. */
function commonScope(layers: readonly Layer[]): string | undefined {
  const counts = new Map<string, number>();
  const scoped = layers.filter(layer => layer.name.includes('/'));
  for (const { name } of scoped) {
    const parts = name.split('/').filter(part => !/^(Stateful)?PartitionedCall(_\d+)?$/.test(part));
    const [scope] = parts;
    if (scope !== undefined && parts.length > 2) counts.set(scope, (counts.get(scope) ?? 0) + 1);
  }
  const [[scope, count] = ['', 0]] = [...counts].sort(([, a], [, b]) => b - a);
  return count > scoped.length / 2 ? scope : undefined;
}
