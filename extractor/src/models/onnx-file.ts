// An ONNX file in memory: read and checked, and cut down to the layers that are wanted. For the reader and the engine.
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { hasErrorCode, Refusal } from '../../../shared/src/errors.ts';
import { requireExternalFiles } from './onnx-external.ts';
import { GRAPH, MODEL_GRAPH, MODEL_OPSET, type OnnxGraph, readGraph } from './onnx-graph.ts';
import type { OnnxWeight } from './onnx-tensor.ts';
import { readValueInfo } from './onnx-value-info.ts';
import { encodeField, fieldHeader, readFields, TruncatedMessage, type WireField } from './protobuf.ts';

export interface OnnxFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly graph: OnnxGraph;
  /** Files beside it that hold weights: absolute paths in a fixed order. */
  readonly externalFiles: readonly string[];
}

/** Protobuf's own bound for a message, and about Node's for one buffer; weights in other files don't count. */
const MOST_BYTES = 2 ** 31 - 1;
/** Fields of ModelProto; no model in use comes near. */
const MOST_FIELDS = 10_000;

/** @throws Refusal `model-unreadable`, naming the file and what was expected */
export async function readOnnxFile(path: string): Promise<OnnxFile> {
  const file = resolve(path);
  const bytes = await readBytes(file);
  let graph: OnnxGraph;
  try {
    graph = readModel(bytes);
  } catch (cause) {
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
  return { path: file, bytes, graph, externalFiles: await requireExternalFiles(file, graph) };
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(file);
    if (size <= MOST_BYTES) return await readFile(file);
    throw new Refusal(
      'model-unreadable',
      `Expected an ONNX model of less than 2 GiB in ${file} but received ${size} bytes`,
      {
        hint: 'Save it with its weights in another file (onnx.save with save_as_external_data=True): those have no bound.',
      },
    );
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    const found = hasErrorCode(cause, 'ENOENT') ? 'no such file' : 'one that cannot be read';
    throw new Refusal('model-unreadable', `Expected an ONNX model at ${file} but received ${found}`, { cause });
  }
}

function readModel(model: Uint8Array): OnnxGraph {
  let graph: WireField | undefined;
  let hasOpset = false;
  let fields = 0;
  for (const field of readFields(model)) {
    if (++fields > MOST_FIELDS) throw new Error(`Expected at most ${MOST_FIELDS} fields in a model`);
    if (field.number === MODEL_GRAPH) graph ??= field;
    if (field.number === MODEL_OPSET) hasOpset = true;
  }
  if (graph === undefined || !hasOpset) throw new TruncatedMessage(model.length + 1, model.length);
  const read = readGraph(graph.bytes);
  requireOneMaker(read);
  return read;
}

/** Two tensors of one name are damage. */
function requireOneMaker(graph: OnnxGraph): void {
  const names = new Set<string>();
  for (const name of [...graph.inputs.map(input => input.name), ...graph.nodes.flatMap(node => node.outputs)]) {
    if (names.has(name)) throw new Error(`Expected one tensor called '${name}'`);
    names.add(name);
  }
}

/**
 * The model with other outputs, and without the nodes, weights and inputs that none of them needs; all other bytes
 * stay. Copies what is kept once.
 * @param tensors names of tensors that nodes give
 */
export function withOutputs(file: OnnxFile, tensors: readonly string[]): Uint8Array {
  const { nodes, weights, names } = neededFor(file.graph, tensors);
  // Old files list weights among the inputs: one without its values would be asked for in every run.
  const isDropped = (weight: OnnxWeight): boolean => !weights.has(weight.field.whole.byteOffset);
  const dropped = new Set([
    ...file.graph.weights.filter(isDropped).map(weight => weight.name),
    ...file.graph.inputs.map(input => input.name).filter(name => !names.has(name)),
  ]);
  const pieces: Uint8Array[] = [];
  for (const field of readFields(file.bytes)) {
    if (field.number !== MODEL_GRAPH) {
      pieces.push(field.whole);
      continue;
    }
    const kept = [...readFields(field.bytes)].filter(part => {
      if (part.number === GRAPH.node) return nodes.has(part.whole.byteOffset);
      if (part.number === GRAPH.initializer) return weights.has(part.whole.byteOffset);
      if (part.number === GRAPH.input) return !dropped.has(readValueInfo(part.bytes).name);
      return part.number !== GRAPH.output;
    });
    // A ValueInfo of nothing but its name: the runtime infers type and shape.
    const outputs = tensors.map(name => encodeField(GRAPH.output, encodeField(1, Buffer.from(name))));
    const graph = [...kept.map(part => part.whole), ...outputs];
    pieces.push(
      fieldHeader(
        MODEL_GRAPH,
        graph.reduce((sum, piece) => sum + piece.length, 0),
      ),
      ...graph,
    );
  }
  return Buffer.concat(pieces);
}

interface Needed {
  /** Where the nodes and weights begin: a field's place in the file is its identity. */
  readonly nodes: ReadonlySet<number>;
  readonly weights: ReadonlySet<number>;
  /** Of all tensors that are needed. */
  readonly names: ReadonlySet<string>;
}

function neededFor(graph: OnnxGraph, tensors: readonly string[]): Needed {
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
  return { nodes, weights: new Set(weights.map(weight => weight.field.whole.byteOffset)), names };
}
