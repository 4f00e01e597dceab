// Opening a model file: finds the reader for its format, checks that it is whole, and gives its layers and digest.
// A reader is one file in models/ and one line in the table below.
import type { LayerGraph } from './layer-graph.ts';

export interface ModelFile {
  /** Absolute path of the file that was opened (for a folder, the model file inside). */
  readonly path: string;
  readonly format: ModelFormat;
  /** SHA-256 over all bytes of the model: topology and weights, in a fixed order. Hex. */
  readonly sha256: string;
  readonly graph: LayerGraph;
  /**
   * Shapes of the layers' outputs without the batch axis, all axes known, for one concrete input shape.
   * Refuses (`recipe-mismatch`) when the model cannot take that shape.
   */
  shapesFor(inputShape: readonly number[], layers: readonly string[]): Promise<readonly (readonly number[])[]>;
}

export const MODEL_FORMATS = ['tfjs-layers', 'onnx', 'null'] as const;
export type ModelFormat = (typeof MODEL_FORMATS)[number];

export interface ModelReader {
  readonly format: ModelFormat;
  /** Whether the path looks like this format (by name and first bytes). */
  recognises(path: string): Promise<boolean>;
  /** Opens and checks the whole file set; refuses (`model-unreadable`) naming the file and what was expected. */
  open(path: string): Promise<ModelFile>;
}
