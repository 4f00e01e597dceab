// A file that holds a Keras model, opened: graph, weights and digest. Readers of the formats give it, keras-model.ts and the
// engines use it.
import { Refusal } from '../../../shared/src/errors.ts';
import { dialectOf } from '../keras/containers.ts';
import { isObject } from '../keras/layer-config.ts';
import { type ReadKerasModel, readLayerGraph } from '../keras/read-graph.ts';
import type { Json, LayerGraph, LayerWeights } from '../layer-graph.ts';

export const KERAS_FORMATS = ['keras', 'keras-h5', 'tfjs-layers'] as const;
export type KerasFormat = (typeof KERAS_FORMATS)[number];

export interface KerasFile {
  /** Absolute path of the model file (for a folder, of model.json inside). */
  readonly path: string;
  readonly format: KerasFormat;
  readonly graph: LayerGraph;
  /** With `data` all values are read, which takes seconds for a large model; without it names and shapes alone. */
  weights(options: { readonly data: boolean }): Promise<LayerWeights>;
  /** SHA-256 over all bytes of the model, in a fixed order. Hex. */
  digest(): Promise<string>;
}

/**
 * The graph of a model's config as JSON text.
 * @param path for messages @param version of Keras, where the file names it
 * @throws Refusal `model-unreadable`
 */
export function readModelConfig(path: string, config: string, version: string | undefined): ReadKerasModel {
  let json: Json;
  try {
    json = JSON.parse(config) as Json;
  } catch (cause) {
    throw unreadable(path, 'text that is none', cause);
  }
  if (!isObject(json)) throw unreadable(path, 'another value');
  return readLayerGraph(json, dialectOf(version, json));
}

function unreadable(path: string, received: string, cause?: unknown): Refusal {
  return new Refusal('model-unreadable', `Expected a model's config as JSON in ${path} but received ${received}`, {
    hint: 'The file may be damaged: copy or save the model again.',
    cause,
  });
}
