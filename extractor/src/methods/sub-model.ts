// Way 1: a functional sub-model that ends at the layers asked for. Also what the tfjs engines run.
import type * as tf from '@tensorflow/tfjs';
import { tfjs } from '../tfjs.ts';
import { requireLayerOutputs } from '../tfjs-graph.ts';

/**
 * A model from the same input to the outputs of `layerNames`, in that order. It shares layers and weights with
 * `model`; what no wanted layer needs is never computed.
 *
 * @example
 * const features = extractSubModel(model, ['block_3_add', 'global_pool']);
 * const [block, pool] = features.predict(images); // tensors [rows, …shape of the layer]
 * @throws Refusal `unknown-layer`, naming the nearest layer names
 */
export function extractSubModel(model: tf.LayersModel, layerNames: readonly string[]): tf.LayersModel {
  return tfjs().model({ inputs: model.inputs, outputs: requireLayerOutputs(model, layerNames) });
}
