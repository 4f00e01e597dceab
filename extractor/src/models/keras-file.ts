// A file that holds a Keras model, opened: graph, weights and digest. Readers of the formats give it, keras-model.ts and the
// engines use it.
import type { LayerGraph, LayerWeights } from '../layer-graph.ts';

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
