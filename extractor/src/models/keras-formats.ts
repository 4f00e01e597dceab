// The files that hold Keras models, and how each is recognised and read. A new one is one entry here.
import { Refusal } from '../../../shared/src/errors.ts';
import type { ModelReader } from '../model.ts';
import type { KerasFile, KerasFormat } from './keras-file.ts';
import { readKerasH5, recognisesKerasH5 } from './keras-h5.ts';
import { describeKerasFile } from './keras-model.ts';
import { readKerasV3, recognisesKerasV3 } from './keras-v3.ts';
import { readTfjsLayers, recognisesTfjsLayers } from './tfjs-layers.ts';

interface KerasReader {
  recognises(path: string): Promise<boolean>;
  /** @throws Refusal `model-unreadable` */
  read(path: string): Promise<KerasFile>;
}

const KERAS_READERS: Readonly<Record<KerasFormat, KerasReader>> = {
  'keras-h5': { recognises: recognisesKerasH5, read: readKerasH5 },
  keras: { recognises: recognisesKerasV3, read: readKerasV3 },
  'tfjs-layers': { recognises: recognisesTfjsLayers, read: readTfjsLayers },
};

/** In the order in which they are asked. */
export const kerasReaders: readonly ModelReader[] = Object.entries(KERAS_READERS).map(([format, reader]) => ({
  format: format as KerasFormat,
  recognises: reader.recognises,
  open: async path => describeKerasFile(await reader.read(path)),
}));

export function isKerasFormat(format: string): format is KerasFormat {
  return format in KERAS_READERS;
}

/**
 * Opens a Keras model with its graph and weights, whatever file it is in.
 * @throws Refusal `model-unreadable`
 */
export async function openKerasFile(path: string): Promise<KerasFile> {
  for (const { recognises, read } of Object.values(KERAS_READERS)) {
    if (await recognises(path)) return read(path);
  }
  throw new Refusal('model-unreadable', `Expected a Keras model at ${path} but received a file of another format`, {
    hint: 'Keras models are .keras, .h5 or .hdf5 files, or TensorFlow.js layers models (model.json).',
  });
}
