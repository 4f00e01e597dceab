// Saves a tfjs layers model as two files, model.json and weights.bin, on any backend. For train.ts.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { tfjs } from '../../extractor/src/tfjs.ts';
import { makeFolders } from '../../shared/src/make-folders.ts';

const WEIGHTS_FILE = 'weights.bin';

/** @returns bytes of both files */
export async function saveModel(model: tf.LayersModel, directory: string): Promise<number> {
  let bytes = 0;
  const save = async (artifacts: tf.io.ModelArtifacts): Promise<tf.io.SaveResult> => {
    const weights = new Uint8Array(tfjs().io.CompositeArrayBuffer.join(artifacts.weightData));
    const topology = JSON.stringify({
      format: 'layers-model',
      generatedBy: artifacts.generatedBy,
      convertedBy: null,
      modelTopology: artifacts.modelTopology,
      weightsManifest: [{ paths: [WEIGHTS_FILE], weights: artifacts.weightSpecs ?? [] }],
      ...(artifacts.userDefinedMetadata && { userDefinedMetadata: artifacts.userDefinedMetadata }),
    });
    await makeFolders(directory);
    // The topology last: where it stands, the weights that it names are there.
    await writeFile(join(directory, WEIGHTS_FILE), weights);
    await writeFile(join(directory, 'model.json'), `${topology}\n`);
    bytes = weights.length + topology.length + 1;
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
  };
  await model.save({ save });
  return bytes;
}
