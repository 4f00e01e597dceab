// Loads a Keras model from any of its file formats as a tf.LayersModel, for the five ways and for training.
import type * as tf from '@tensorflow/tfjs';
import { openKerasFile } from './models/keras-formats.ts';
import { requireInputShape } from './models/keras-model.ts';
import { rebuildLayersModel } from './rebuild/layers-model.ts';

/**
 * The whole model with its weights, on whatever backend of TensorFlow.js is current. Layers of nested models stand in it
 * under their path, such as `backbone/conv5`.
 * @param path a .keras, .h5 or .hdf5 file, a TensorFlow.js model.json, or the folder that holds one
 * @param inputShape fixes open axes of the (first) input: shape of one sample, without the batch axis
 * @throws Refusal `model-unreadable`; `recipe-mismatch` for an input shape that the model cannot take
 *
 * @example
 * const model = await loadLayersModel('resnet50.keras');
 */
export async function loadLayersModel(path: string, inputShape?: readonly number[]): Promise<tf.LayersModel> {
  const file = await openKerasFile(path);
  if (inputShape !== undefined) requireInputShape(file.graph, inputShape);
  const weights = await file.weights({ data: true });
  return rebuildLayersModel(file.graph, weights, inputShape === undefined ? {} : { inputShapes: [inputShape] });
}
