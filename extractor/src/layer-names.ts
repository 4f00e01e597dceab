// The names of a layer graph's tensors, as `layertap layers` prints them and `--layer` takes them.
import type { LayerGraph, TensorRef } from './layer-graph.ts';

/**
 * Every tensor that can be taken, by its name, in the order of the model. A layer's own name is its first call's first
 * output; `name#1`, `name#2`, … are what its further outputs and then its further calls give. A nested model goes by
 * its path and stands before its own layers.
 */
export function tensorNames(graph: LayerGraph): ReadonlyMap<string, TensorRef> {
  const outputsOf = graph.layers.map((): TensorRef[] => []);
  graph.calls.forEach((call, index) => {
    for (let output = 0; output < call.outputs; output++) outputsOf[call.layer]?.push({ call: index, output });
  });
  const names = new Map<string, TensorRef>();
  const nested = new Map(graph.nested.map(model => [model.name, model.outputs.flat()]));
  const add = (name: string, tensors: readonly TensorRef[]): void => {
    tensors.forEach((tensor, number) => {
      names.set(number === 0 ? name : `${name}#${number}`, tensor);
    });
  };
  graph.layers.forEach((layer, index) => {
    if (layer.hidden) return;
    for (const path of enclosingPaths(layer.name)) {
      const tensors = nested.get(path);
      if (tensors !== undefined) add(path, tensors);
      nested.delete(path);
    }
    add(layer.name, outputsOf[index] ?? []);
  });
  // Models without a layer of their own.
  for (const [path, tensors] of nested) add(path, tensors);
  return names;
}

/** `a` and `a/b` for `a/b/c`. */
function enclosingPaths(name: string): readonly string[] {
  const parts = name.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}
