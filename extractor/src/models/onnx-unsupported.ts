// Tensors of an ONNX graph that can be listed but are no features, each with the reason. For the layer table.
import type { OnnxGraph, OnnxNode } from './onnx-graph.ts';
import { describeInput } from './onnx-input.ts';
import { ELEMENT } from './onnx-tensor.ts';
import type { OnnxTensor } from './onnx-value-info.ts';

/** Operators that give sequences of tensors, or maps. */
const SEQUENCES = new Set(
  'SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceMap SplitToSequence'.split(' '),
);
const MAPS = new Set(['ZipMap']);
/** Operators that give the size of a tensor. */
const SIZES = new Set(['Shape', 'Size']);

/**
 * @param behind the graph inputs behind each tensor
 * @param images names of the inputs that an image can be fed to
 * @returns the reason by the tensor's name
 */
export function unsupportedTensors(
  graph: OnnxGraph,
  behind: ReadonlyMap<string, ReadonlySet<string>>,
  images: ReadonlySet<string>,
): ReadonlyMap<string, string> {
  const reasons = new Map<string, string>();
  const others = new Map(graph.inputs.filter(input => !images.has(input.name)).map(input => [input.name, input]));
  for (const [name, input] of others) reasons.set(name, `it is an input of ${describeInput(input)}, no image`);
  const sizes = new Set<string>();
  // Nodes stand in an order in which they can run.
  for (const node of graph.nodes) {
    // What hangs on the size of an input but not on its values: exporters compute the target of a Reshape so.
    const taken = node.inputs.filter(input => behind.get(input)?.size !== 0);
    const isSize = taken.length > 0 && (SIZES.has(node.opType) || taken.every(input => sizes.has(input)));
    for (const output of node.outputs) {
      if (isSize) sizes.add(output);
      const reason = isSize
        ? 'it is made of sizes alone, no feature'
        : (typeReason(node, graph.known.get(output)) ?? inputReason([...(behind.get(output) ?? [])], others));
      if (reason !== undefined) reasons.set(output, reason);
    }
  }
  return reasons;
}

function typeReason({ opType }: OnnxNode, known: OnnxTensor | undefined): string | undefined {
  if (known?.other !== undefined) return `it gives a ${known.other}, no tensor`;
  if (SEQUENCES.has(opType)) return 'it gives a sequence, no tensor';
  if (MAPS.has(opType)) return 'it gives maps, no tensor';
  return known?.elementType === ELEMENT.string ? 'it gives strings, no numbers' : undefined;
}

function inputReason(inputs: readonly string[], others: ReadonlyMap<string, OnnxTensor>): string | undefined {
  if (inputs.length > 1) return `it needs several inputs: ${inputs.map(name => `'${name}'`).join(', ')}`;
  const other = others.get(inputs[0] ?? '');
  return other && `it needs the input '${other.name}' of ${describeInput(other)}, no image`;
}
