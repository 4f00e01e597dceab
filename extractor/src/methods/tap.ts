// Way 3: a tap, an identity layer behind another layer, so that one run gives predictions and features.
import type * as tf from '@tensorflow/tfjs';
import { tfjs } from '../tfjs.ts';
import { layerOutputs, requireLayerOutputs } from '../tfjs-graph.ts';

/**
 * The model with taps on layers: its outputs are the predictions, then one tap per layer, in order. It shares
 * weights with `model`, can be saved as it is, and can be tapped again. A tap on layer `x` is called `tap_x`.
 *
 * @example
 * const [predictions, features] = tapLayer(model, 'global_pool').predict(images);
 * @throws Refusal `unknown-layer`, naming the nearest layer names
 */
export function tapLayer(model: tf.LayersModel, layers: string | readonly string[]): tf.LayersModel {
  const names = typeof layers === 'string' ? [layers] : layers;
  const taken = new Set(layerOutputs(model).keys());
  const taps = requireLayerOutputs(model, names).map((output, index) => {
    const name = freeName(`tap_${names[index]}`, taken);
    // The linear activation is the identity, and a class that every reader of Keras models knows.
    return tfjs().layers.activation({ activation: 'linear', name }).apply(output) as tf.SymbolicTensor;
  });
  return tfjs().model({ inputs: model.inputs, outputs: [...model.outputs, ...taps] });
}

/** The name itself, or with the first number that makes it unique; takes it. */
function freeName(name: string, taken: Set<string>): string {
  let free = name;
  for (let number = 2; taken.has(free); number++) free = `${name}_${number}`;
  taken.add(free);
  return free;
}
