// What happens to the image input before the first layer that learns: the chain of operators on single values that
// follows it. It tells the layout of an input whose shape is open, and preprocessing that is part of the graph.
import { constantsOf } from './onnx-dependencies.ts';
import type { OnnxGraph, OnnxNode } from './onnx-graph.ts';

export interface InputChain {
  /** Operators on single values, transpositions and normalisations by constants, in order. */
  readonly passed: readonly OnnxNode[];
  /** What takes their result: the first real layer; undefined where several do. */
  readonly next: OnnxNode | undefined;
}

/** Operators that change values one by one, or nothing but the order of axes. */
const PASSING = new Set(
  'Add BatchNormalization Cast Clip DequantizeLinear Div Identity Mul Pad QuantizeLinear Resize Sub Transpose'.split(
    ' ',
  ),
);
/** Operators that look at the shape alone. */
const LOOKING = new Set(['Shape', 'Size']);
/** Longer chains are no preprocessing. */
const LONGEST = 32;

/** @param input name of a graph input */
export function followInput(graph: OnnxGraph, input: string): InputChain {
  const takers = new Map<string, OnnxNode[]>();
  for (const node of graph.nodes) {
    if (LOOKING.has(node.opType)) continue;
    for (const taken of new Set(node.inputs)) {
      const list = takers.get(taken);
      if (list === undefined) takers.set(taken, [node]);
      else list.push(node);
    }
  }
  const constants = constantsOf(graph);
  const passed: OnnxNode[] = [];
  for (let tensor = input; passed.length <= LONGEST; ) {
    const [next, ...others] = takers.get(tensor) ?? [];
    if (next === undefined || others.length > 0) return { passed, next: undefined };
    // Two tensors that both hang on the input, such as a residual sum, are no preprocessing.
    const isAlone = next.inputs.every(taken => taken === tensor || constants.has(taken) || isResizing(next));
    if (!PASSING.has(next.opType) || !isAlone) return { passed, next };
    passed.push(next);
    tensor = next.outputs[0] ?? '';
  }
  return { passed, next: undefined };
}

/** Its sizes may be computed from the shape of the input. */
function isResizing({ opType }: OnnxNode): boolean {
  return opType === 'Resize' || opType === 'Pad';
}
