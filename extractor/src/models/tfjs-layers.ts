// Reader of TensorFlow.js layers models (model.json with weight shards).
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { dialectOf } from '../keras/containers.ts';
import { readLayerGraph } from '../keras/read-graph.ts';
import type { JsonObject } from '../layer-graph.ts';
import { digestFiles } from './digest.ts';
import type { KerasFile } from './keras-file.ts';
import { readTfjsWeights } from './keras-weights-tfjs.ts';
import { readTfjsFiles } from './tfjs-files.ts';

export async function recognisesTfjsLayers(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return (await stat(join(path, 'model.json')).catch(() => undefined)) !== undefined;
  if (found === undefined) return false;
  return path.endsWith('.json') || (await readFile(path, { encoding: 'utf8' })).trimStart().startsWith('{');
}

/** @throws Refusal `model-unreadable` */
export async function readTfjsLayers(path: string): Promise<KerasFile> {
  const files = await readTfjsFiles(path);
  const topology = files.topology as unknown as JsonObject;
  const { graph, tree } = readLayerGraph(topology, dialectOf(files.kerasVersion, topology));
  return {
    path: files.path,
    format: 'tfjs-layers',
    graph,
    weights: options => readTfjsWeights(files, tree, options),
    /** model.json first, then the weight files in the order of the manifest. */
    digest: () => digestFiles([files.path, ...files.weightFiles.map(file => file.path)]),
  };
}
