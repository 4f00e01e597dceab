// Reader of TensorFlow.js layers models (model.json with weight shards).
import { dialectOf } from '../keras/containers.ts';
import { readLayerGraph } from '../keras/read-graph.ts';
import type { JsonObject } from '../layer-graph.ts';
import { digestFiles } from './digest.ts';
import type { KerasFile } from './keras-file.ts';
import { readTfjsWeights } from './keras-weights-tfjs.ts';
import type { ModelJson } from './model-json.ts';
import { readTfjsFiles } from './tfjs-files.ts';

/** @throws Refusal `model-unreadable` */
export async function readTfjsLayers(json: ModelJson): Promise<KerasFile> {
  const files = await readTfjsFiles(json);
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
