// The layers of a tf.LayersModel as a graph: which symbolic tensor each layer gives, from which layers. For readers and the five ways.
import type * as tf from '@tensorflow/tfjs';
import { rebuiltTensors } from './rebuild/layers-model.ts';
import { unknownLayer } from './unknown-layer.ts';

/** One call of a layer: what it took and what it gave. TensorFlow.js keeps this for every layer but types only a part of it. */
export interface LayerCall {
  readonly inputTensors: readonly tf.SymbolicTensor[];
  readonly outputTensors: readonly tf.SymbolicTensor[];
  readonly callArgs?: Readonly<Record<string, unknown>>;
}

/** The call that made a symbolic tensor. */
export function callOf(tensor: tf.SymbolicTensor): LayerCall {
  const node = tensor.sourceLayer.inboundNodes[tensor.nodeIndex];
  if (node === undefined) throw new Error(`Expected layer '${tensor.sourceLayer.name}' to have been called`);
  return node as unknown as LayerCall;
}

/**
 * The (first) output of every layer of the model; of a model that came from a file everything that its layer table names,
 * nested models and further outputs too. Found by walking back from the predictions, because a layer that
 * is shared with another model has calls that are not of this one.
 */
export function layerOutputs(model: tf.LayersModel): ReadonlyMap<string, tf.SymbolicTensor> {
  const rebuilt = rebuiltTensors(model);
  if (rebuilt !== undefined) return rebuilt;
  const found = new Map<string, tf.SymbolicTensor>();
  const seen = new Set<LayerCall>();
  const pending = [...model.outputs];
  for (let tensor = pending.pop(); tensor !== undefined; tensor = pending.pop()) {
    const call = callOf(tensor);
    if (seen.has(call)) continue;
    seen.add(call);
    const first = call.outputTensors[0] ?? tensor;
    const { name } = tensor.sourceLayer;
    const earlier = found.get(name);
    if (earlier === undefined || first.nodeIndex < earlier.nodeIndex) found.set(name, first);
    pending.push(...call.inputTensors);
  }
  // A Sequential that begins with a model takes over that model's own calls: its output is its last layer's.
  return new Map(
    model.layers.flatMap(layer => {
      const output = found.get(layer.name) ?? (layer as Partial<tf.LayersModel>).outputs?.[0];
      return output === undefined ? [] : [[layer.name, output] as const];
    }),
  );
}

/** The outputs of the named layers, in order; refuses (`unknown-layer`) a name that the model does not have. */
export function requireLayerOutputs(model: tf.LayersModel, names: readonly string[]): tf.SymbolicTensor[] {
  const outputs = layerOutputs(model);
  return names.map(name => {
    const output = outputs.get(name);
    if (output === undefined) throw unknownLayer(name, outputs.keys(), { isInMemory: true });
    return output;
  });
}
