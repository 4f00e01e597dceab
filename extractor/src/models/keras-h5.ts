// Reader of Keras' HDF5 files (.h5, .hdf5), as Keras 2, tf_keras and Keras 3 write whole models.
import { resolve } from 'node:path';
import { Refusal } from '../../../shared/src/errors.ts';
import { digestFiles } from './digest.ts';
import { startsWith } from './file-start.ts';
import { readHdf5 } from './hdf5.ts';
import { textAttribute } from './hdf5-content.ts';
import { type KerasFile, readModelConfig } from './keras-file.ts';
import { readH5Weights } from './keras-weights-h5.ts';

/** First bytes of an HDF5 file. */
const SIGNATURE = '\x89HDF\r\n\x1a\n';
/** Training's own state is half of many files. */
const WITHOUT = ['optimizer_weights'];

export function recognisesKerasH5(path: string): Promise<boolean> {
  return startsWith(path, SIGNATURE, /\.(h5|hdf5)$/i);
}

/** @throws Refusal `model-unreadable` */
export async function readKerasH5(path: string): Promise<KerasFile> {
  const absolute = resolve(path);
  const shapes = await readHdf5({ path: absolute }, { data: false, without: WITHOUT });
  const config = textAttribute(shapes, 'model_config');
  if (config === undefined) {
    throw new Refusal('model-unreadable', `Expected a whole Keras model in ${absolute} but received weights alone`, {
      hint: 'The architecture is missing: save with `model.save(...)` instead of `model.save_weights(...)`.',
    });
  }
  const { graph, tree } = readModelConfig(absolute, config, textAttribute(shapes, 'keras_version'));
  return {
    path: absolute,
    format: 'keras-h5',
    graph,
    weights: async ({ data }) =>
      readH5Weights(data ? await readHdf5({ path: absolute }, { data, without: WITHOUT }) : shapes, tree),
    digest: () => digestFiles([absolute]),
  };
}
