// A Keras topology built into a tf.LayersModel: without weights for listings and shapes, with them for inference.
import type * as tf from '@tensorflow/tfjs';
import { Refusal } from '../../../shared/src/errors.ts';
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import { type Tfjs, tfjs } from '../tfjs.ts';
import type { TfjsFiles, Topology } from './tfjs-files.ts';
import { readWeights } from './tfjs-weights.ts';

type Json = null | boolean | number | string | Json[] | JsonObject;
interface JsonObject {
  [name: string]: Json | undefined;
}

/**
 * The model with the shapes of its weights but no values: quick, whatever its size. It lists and infers shapes; it cannot run.
 * @param inputShape replaces the shape that the model declares, without the batch axis
 * @throws Refusal `model-unreadable` for a topology that TensorFlow.js cannot build
 */
export async function buildWithoutWeights(files: TfjsFiles, inputShape?: readonly number[]): Promise<tf.LayersModel> {
  const config = modelConfig(files.topology, inputShape);
  try {
    // The promise comes after the building, which is synchronous: nobody else builds without weights meanwhile.
    return await withoutWeights(() =>
      tfjs().models.modelFromJSON(config as Parameters<Tfjs['models']['modelFromJSON']>[0]),
    );
  } catch (cause) {
    throw new Refusal('model-unreadable', `Expected layers that TensorFlow.js can build in ${files.path}`, { cause });
  }
}

/**
 * The model with its weights, dequantised, on the runtime's current backend.
 * @throws Refusal `model-unreadable` where weights and layers do not fit together
 */
export async function buildWithWeights(files: TfjsFiles, inputShape?: readonly number[]): Promise<tf.LayersModel> {
  const modelTopology = modelConfig(files.topology, inputShape) as object;
  const weightData = await readWeights(files.weightFiles);
  // zod checked what this project reads of them; the runtime's type names further optional fields.
  const weightSpecs = [...files.weightSpecs] as unknown as tf.io.WeightsManifestEntry[];
  try {
    return await tfjs().loadLayersModel({ load: async () => ({ modelTopology, weightSpecs, weightData }) });
  } catch (cause) {
    throw new Refusal('model-unreadable', `Expected layers and weights that fit together in ${files.path}`, { cause });
  }
}

/** The config with the model's first input fixed to a shape; a copy, as building takes the config apart. */
function modelConfig(topology: Topology, inputShape: readonly number[] | undefined): JsonObject {
  const copy = structuredClone(topology) as JsonObject;
  dropLaterInputShapes(copy);
  if (inputShape !== undefined) fixInput(copy, inputShape);
  return copy;
}

/** Only a Sequential's first layer declares the input; some writers repeat it on later ones, where it is wrong. */
function dropLaterInputShapes(model: JsonObject): void {
  const layers = layersOf(model);
  layers.forEach((layer, index) => {
    if (model.class_name === 'Sequential' && index > 0) delete objectOf(layer.config).batch_input_shape;
    dropLaterInputShapes(layer);
  });
}

/** The input is the first input layer of a functional model, or the first layer of a Sequential, which may be a model. */
function fixInput(model: JsonObject, inputShape: readonly number[]): void {
  const layers = layersOf(model);
  const inputLayers = objectOf(model.config).input_layers;
  const inputName = Array.isArray(inputLayers) && Array.isArray(inputLayers[0]) ? inputLayers[0][0] : undefined;
  const input = layers.find(layer => layer.name === inputName) ?? layers[0];
  if (input === undefined) return;
  if (layersOf(input).length > 0) fixInput(input, inputShape);
  else objectOf(input.config).batch_input_shape = [null, ...inputShape];
}

/** The layers of a model's config, which is a bare list in early Sequential files; none for a plain layer. */
function layersOf(model: JsonObject): JsonObject[] {
  const layers = Array.isArray(model.config) ? model.config : objectOf(model.config).layers;
  return Array.isArray(layers) ? layers.map(objectOf) : [];
}

/** The object itself (to be changed in place), or an empty one for anything else. */
function objectOf(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

/** The parts of a layer that adding a weight touches; TensorFlow.js keeps them out of its types. */
interface BuildingLayer {
  addWeight(name: string, shape: number[], dtype?: string, ...rest: unknown[]): unknown;
  _trainableWeights: unknown[];
}

/**
 * Runs a synchronous build in which a layer's weights are only their shapes. Without this a listing would fill
 * every weight with random numbers first: seconds, and gigabytes, for a large model.
 */
function withoutWeights<T>(build: () => T): T {
  const prototype = tfjs().layers.Layer.prototype as unknown as BuildingLayer;
  const { addWeight } = prototype;
  prototype.addWeight = function addShape(name, shape, dtype = 'float32'): unknown {
    const weight = { name, originalName: name, shape, dtype, size: sizeOfShape(shape), dispose: (): void => undefined };
    this._trainableWeights.push(weight);
    return weight;
  };
  try {
    return build();
  } finally {
    prototype.addWeight = addWeight;
  }
}
