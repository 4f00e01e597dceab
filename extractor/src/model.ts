// Opening a model file: finds the reader for its format, checks that it is whole, and gives its layers and digest.
// A reader is one file in models/ and one line in the table below.
import { stat } from 'node:fs/promises';
import { hasErrorCode, Refusal } from '../../shared/src/errors.ts';
import type { LayerTable } from './layer-table.ts';
import { KERAS_FORMATS } from './models/keras-file.ts';
import { tfjsReaders } from './models/keras-formats.ts';
import { nullReader } from './models/null.ts';
import { onnxReader } from './models/onnx.ts';
import { savedModelReader } from './models/saved-model.ts';

export interface ModelFile {
  /** Absolute path of the file that was opened (for a folder, the model file inside). */
  readonly path: string;
  readonly format: ModelFormat;
  /** SHA-256 over all bytes of the model: topology and weights, in a fixed order. Hex. */
  readonly sha256: string;
  readonly table: LayerTable;
  /**
   * Shapes of the layers' outputs without the batch axis, all axes known, for one concrete input shape.
   * Refuses (`recipe-mismatch`) when the model cannot take that shape.
   */
  shapesFor(inputShape: readonly number[], layers: readonly string[]): Promise<readonly (readonly number[])[]>;
  /**
   * The table with the shapes that the file leaves out, found by running the model in a child process: for listings.
   * @throws Refusal where it cannot be run
   * @default the table holds all that can be known
   */
  probeShapes?(): Promise<LayerTable>;
}

export const MODEL_FORMATS = [...KERAS_FORMATS, 'tfjs-graph', 'saved-model', 'onnx', 'null'] as const;
export type ModelFormat = (typeof MODEL_FORMATS)[number];

/** What tells one model from another. */
export type ModelIdentity = Pick<ModelFile, 'path' | 'format' | 'sha256'>;

export interface ModelReader {
  /** Whether the path looks like this format (by name and first bytes). */
  recognises(path: string): Promise<boolean>;
  /** Opens and checks the whole file set; refuses (`model-unreadable`) naming the file and what was expected. */
  open(path: string): Promise<ModelFile>;
  /** Where that costs much less than to describe the layers. @default what `open` gives */
  identify?(path: string): Promise<ModelIdentity>;
}

/** In the order in which they are asked: the one that reads least goes first. */
const READERS: readonly ModelReader[] = [nullReader, savedModelReader, onnxReader, ...tfjsReaders];

/**
 * Opens a model, whatever its format, and checks that its files are whole; loads no weights.
 * @param path a model file, a folder that holds one, or `null:SHAPE`
 * @throws Refusal `model-unreadable`
 */
export async function openModel(path: string): Promise<ModelFile> {
  return (await readerOf(path)).open(path);
}

/**
 * `openModel` for a worker, which knows its layers: it only has to see that this is the model.
 * @throws Refusal `model-unreadable`
 */
export async function identifyModel(path: string): Promise<ModelIdentity> {
  const reader = await readerOf(path);
  return reader.identify === undefined ? reader.open(path) : reader.identify(path);
}

async function readerOf(path: string): Promise<ModelReader> {
  for (const reader of READERS) {
    if (await reader.recognises(path)) return reader;
  }
  throw new Refusal('model-unreadable', `Expected a model at ${path} but received ${await whatIsAt(path)}`, {
    hint: 'Give a Keras model (.keras, .h5), a TensorFlow.js model (model.json or its folder), a SavedModel (its folder), an ONNX file (.onnx), or null:SHAPE such as null:1280.',
    emptyPath: path,
  });
}

async function whatIsAt(path: string): Promise<string> {
  try {
    return (await stat(path)).isDirectory()
      ? 'a folder without model.json or saved_model.pb'
      : 'a file of another format';
  } catch (error) {
    return hasErrorCode(error, 'ENOENT') ? 'nothing: there is no such file' : 'something that cannot be read';
  }
}
