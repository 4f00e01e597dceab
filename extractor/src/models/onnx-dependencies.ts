// Which graph inputs each tensor of an ONNX graph hangs on; none: it is a constant, whatever made it. For the reader.
import type { OnnxGraph } from './onnx-graph.ts';

const NONE: ReadonlySet<string> = new Set();

/** Names of the graph inputs behind each tensor; tensors that nobody gives are not in it. */
export function inputsBehind(graph: OnnxGraph): ReadonlyMap<string, ReadonlySet<string>> {
  const behind = new Map<string, ReadonlySet<string>>();
  for (const weight of graph.weights) behind.set(weight.name, NONE);
  for (const name of graph.sparse) behind.set(name, NONE);
  for (const input of graph.inputs) behind.set(input.name, new Set([input.name]));
  // Nodes stand in an order in which they can run.
  for (const node of graph.nodes) {
    // A tensor that nobody gives is damage, which the runtime names; here it must not pass for a constant.
    const sets = node.inputs.map(input => behind.get(input) ?? new Set([input]));
    const union = unionOf(sets);
    for (const output of node.outputs) behind.set(output, union);
  }
  return behind;
}

/** Keeps one set for all tensors that hang on the same inputs. */
function unionOf(sets: readonly ReadonlySet<string>[]): ReadonlySet<string> {
  let union = NONE;
  for (const set of sets) {
    const isKnown = set === union || [...set].every(name => union.has(name));
    if (isKnown) continue;
    const isWider = [...union].every(name => set.has(name));
    union = isWider ? set : new Set([...union].concat([...set]));
  }
  return union;
}

/** Weights, and what is computed from weights alone. */
export function constantsOf(graph: OnnxGraph): ReadonlySet<string> {
  const constants = [...inputsBehind(graph)].filter(([, inputs]) => inputs.size === 0);
  return new Set(constants.map(([name]) => name));
}
