// An ONNX file in memory: read and checked, and cut down to the layers that are wanted. For the reader and the engine.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { hasErrorCode, Refusal } from '../../../shared/src/errors.ts';
import {
  GRAPH,
  MODEL_GRAPH,
  MODEL_OPSET,
  type OnnxGraph,
  type OnnxWeight,
  readGraph,
  readValueInfo,
} from './onnx-graph.ts';
import { encodeField, readFields, TruncatedMessage } from './protobuf.ts';

export interface OnnxFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly graph: OnnxGraph;
}

/** @throws Refusal `model-unreadable`, naming the file and what was expected */
export async function readOnnxFile(path: string): Promise<OnnxFile> {
  const file = resolve(path);
  const bytes = await readFile(file).catch(cause => {
    const found = hasErrorCode(cause, 'ENOENT') ? 'no such file' : 'one that cannot be read';
    throw new Refusal('model-unreadable', `Expected an ONNX model at ${file} but received ${found}`, { cause });
  });
  try {
    return { path: file, bytes, graph: readModel(bytes) };
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    const reason = cause instanceof TruncatedMessage ? 'one that is truncated' : 'something else';
    throw new Refusal(
      'model-unreadable',
      `Expected a whole ONNX model in ${file} (${bytes.length} bytes) but received ${reason}`,
      {
        hint: 'Copy or export the model again.',
        cause,
      },
    );
  }

  function readModel(model: Uint8Array): OnnxGraph {
    const fields = [...readFields(model)];
    const graph = fields.find(field => field.number === MODEL_GRAPH);
    if (graph === undefined || !fields.some(field => field.number === MODEL_OPSET)) {
      throw new TruncatedMessage(model.length + 1, model.length);
    }
    const read = readGraph(graph.bytes);
    const outside = read.weights.find(weight => weight.isExternal);
    if (outside === undefined) return read;
    throw new Refusal(
      'model-unreadable',
      `Expected all weights inside ${file} but '${outside.name}' lies in another file`,
      {
        hint: 'Save the model with its weights inside (onnx.save with save_as_external_data=False).',
      },
    );
  }
}

/**
 * The model with other outputs, and without the nodes and weights that none of them needs; all other bytes stay.
 * @param tensors names of tensors that nodes give
 */
export function withOutputs(file: OnnxFile, tensors: readonly string[]): Uint8Array {
  const { nodes, weights } = neededFor(file.graph, tensors);
  // Old files list weights among the inputs: one without its values would be asked for in every run.
  const isDropped = (weight: OnnxWeight): boolean => !weights.has(weight.field.whole.byteOffset);
  const dropped = new Set(file.graph.weights.filter(isDropped).map(weight => weight.name));
  const model = [...readFields(file.bytes)].map(field => {
    if (field.number !== MODEL_GRAPH) return field.whole;
    const kept = [...readFields(field.bytes)].filter(part => {
      if (part.number === GRAPH.node) return nodes.has(part.whole.byteOffset);
      if (part.number === GRAPH.initializer) return weights.has(part.whole.byteOffset);
      if (part.number === GRAPH.input) return !dropped.has(readValueInfo(part.bytes).name);
      return part.number !== GRAPH.output;
    });
    // A ValueInfo of nothing but its name: the runtime infers type and shape.
    const outputs = tensors.map(name => encodeField(GRAPH.output, encodeField(1, Buffer.from(name))));
    return encodeField(MODEL_GRAPH, Buffer.concat([...kept.map(part => part.whole), ...outputs]));
  });
  return Buffer.concat(model);
}

/** Where the needed nodes and weights begin: a field's place in the file is its identity. */
function neededFor(graph: OnnxGraph, tensors: readonly string[]): { nodes: Set<number>; weights: Set<number> } {
  const makers = new Map(graph.nodes.flatMap(node => node.outputs.map(output => [output, node] as const)));
  const nodes = new Set<number>();
  const names = new Set(tensors);
  // A set that grows while it is walked is walked to its end.
  for (const name of names) {
    const node = makers.get(name);
    if (node === undefined) continue;
    nodes.add(node.field.whole.byteOffset);
    for (const input of node.inputs) names.add(input);
  }
  const weights = graph.weights.filter(weight => names.has(weight.name));
  return { nodes, weights: new Set(weights.map(weight => weight.field.whole.byteOffset)) };
}
