// Reader of .keras archives, as Keras 3 and, from 2.12 on, Keras 2 write them.
import { z } from 'zod';
import { digestFiles } from './digest.ts';
import { startsWith } from './file-start.ts';
import { openKerasArchive } from './keras-archive.ts';
import { type KerasFile, readModelConfig } from './keras-file.ts';
import { readV3Weights } from './keras-weights-v3.ts';

const Metadata = z.looseObject({ keras_version: z.string().optional() });

/** Any other zip archive is none of ours: the name decides with the first bytes. */
export async function recognisesKerasV3(path: string): Promise<boolean> {
  return /\.keras$/i.test(path) && (await startsWith(path, '', /\.keras$/i));
}

/** @throws Refusal `model-unreadable` */
export async function readKerasV3(path: string): Promise<KerasFile> {
  const archive = await openKerasArchive(path);
  const { graph, tree } = readModelConfig(archive.path, archive.config, versionOf(archive.metadata));
  return {
    path: archive.path,
    format: 'keras',
    graph,
    weights: async options => readV3Weights(await archive.readWeights(options), tree),
    digest: () => digestFiles([archive.path]),
  };
}

/** Unreadable metadata are as good as none: the config tells, too. */
function versionOf(metadata: string | undefined): string | undefined {
  try {
    return Metadata.parse(JSON.parse(metadata ?? '{}')).keras_version;
  } catch {
    return undefined;
  }
}
