// The files that hold models for TensorFlow.js, Keras models and graph models, and how each is recognised and read.
// A new one is one entry here.
import { Refusal } from '../../../shared/src/errors.ts';
import type { ModelReader } from '../model.ts';
import { KERAS_FORMATS, type KerasFile, type KerasFormat } from './keras-file.ts';
import { readKerasH5, recognisesKerasH5 } from './keras-h5.ts';
import { describeKerasFile } from './keras-model.ts';
import { readKerasV3, recognisesKerasV3 } from './keras-v3.ts';
import { isGraphJson, readModelJson, recognisesModelJson } from './model-json.ts';
import { describeGraphModel, digestGraphModel } from './tfjs-graph-model.ts';
import { type GraphModelFiles, readGraphModelFiles } from './tfjs-graph-model-files.ts';
import { readTfjsLayers } from './tfjs-layers.ts';

interface FileReader {
  recognises(path: string): Promise<boolean>;
  /** @throws Refusal `model-unreadable` */
  read(path: string): Promise<KerasFile | GraphModelFiles>;
}

/** In the order in which they are asked. */
const FILE_READERS: readonly FileReader[] = [
  { recognises: recognisesKerasH5, read: readKerasH5 },
  { recognises: recognisesKerasV3, read: readKerasV3 },
  { recognises: recognisesModelJson, read: readModelJsonFiles },
];

/** In the order in which they are asked. */
export const tfjsReaders: readonly ModelReader[] = FILE_READERS.map(({ recognises, read }) => ({
  recognises,
  open: async path => {
    const file = await read(path);
    return file.format === 'tfjs-graph' ? describeGraphModel(file) : describeKerasFile(file);
  },
  identify: async path => {
    const file = await read(path);
    const sha256 = await (file.format === 'tfjs-graph' ? digestGraphModel(file) : file.digest());
    return { path: file.path, format: file.format, sha256 };
  },
}));

export function isKerasFormat(format: string): format is KerasFormat {
  return KERAS_FORMATS.some(known => known === format);
}

/** Layers models and graph models have the same file names: only what is in model.json tells them apart. */
async function readModelJsonFiles(path: string): Promise<KerasFile | GraphModelFiles> {
  const file = await readModelJson(path);
  return isGraphJson(file.json) ? readGraphModelFiles(file) : readTfjsLayers(file);
}

/**
 * Opens a model that TensorFlow.js runs, whatever file it is in.
 * @throws Refusal `model-unreadable`
 */
export async function openTfjsFile(path: string): Promise<KerasFile | GraphModelFiles> {
  for (const { recognises, read } of FILE_READERS) {
    if (await recognises(path)) return read(path);
  }
  throw new Refusal('model-unreadable', `Expected a Keras model at ${path} but received a file of another format`, {
    hint: 'Keras models are .keras, .h5 or .hdf5 files, or TensorFlow.js layers models (model.json).',
  });
}

/**
 * Opens a Keras model with its graph and weights, whatever file it is in.
 * @throws Refusal `model-unreadable`
 */
export async function openKerasFile(path: string): Promise<KerasFile> {
  const file = await openTfjsFile(path);
  if (file.format !== 'tfjs-graph') return file;
  throw new Refusal(
    'model-unreadable',
    `Expected a TensorFlow.js layers model in ${file.path} but received a graph model`,
    {
      hint: 'A graph model keeps no Keras layers: export the Keras model with `tensorflowjs_converter --output_format tfjs_layers_model`.',
    },
  );
}
