// The files of a TensorFlow.js layers model: model.json and its weight shards, checked for wholeness before anything is loaded.
import { dirname } from 'node:path';
import { z } from 'zod';
import { type ModelJson as ModelJsonFile, refuseLayout } from './model-json.ts';
import { checkWeightGroup, type WeightFile, WeightSpec } from './tfjs-weights.ts';

const WeightGroup = z.looseObject({ paths: z.array(z.string()), weights: z.array(WeightSpec) });

const Topology = z.looseObject({
  class_name: z.string(),
  config: z.union([z.array(z.unknown()), z.looseObject({ layers: z.array(z.unknown()) })]),
});
export type Topology = z.output<typeof Topology>;

const ModelJson = z.looseObject({
  modelTopology: z.union([z.looseObject({ model_config: Topology, keras_version: z.string().optional() }), Topology]),
  weightsManifest: z.array(WeightGroup).default([]),
});

export interface TfjsFiles {
  /** Absolute path of model.json. */
  readonly path: string;
  readonly topology: Topology;
  /** As the converter wrote it: of the Keras that the model comes from. */
  readonly kerasVersion: string | undefined;
  /** In the order of their bytes in `weightFiles`. */
  readonly weightSpecs: readonly WeightSpec[];
  readonly weightFiles: readonly WeightFile[];
}

/**
 * Looks at the size of every weight file; reads no weights.
 * @throws Refusal `model-unreadable`
 */
export async function readTfjsFiles({ path: file, json }: ModelJsonFile): Promise<TfjsFiles> {
  const { modelTopology, weightsManifest } = parseModelJson(file, json);
  const weightFiles: WeightFile[] = [];
  for (const group of weightsManifest) {
    weightFiles.push(...(await checkWeightGroup(dirname(file), group.paths, group.weights)));
  }
  return {
    path: file,
    topology:
      'model_config' in modelTopology ? Topology.parse(modelTopology.model_config) : Topology.parse(modelTopology),
    kerasVersion: typeof modelTopology.keras_version === 'string' ? modelTopology.keras_version : undefined,
    weightSpecs: weightsManifest.flatMap(group => group.weights),
    weightFiles,
  };
}

function parseModelJson(file: string, json: unknown): z.output<typeof ModelJson> {
  const parsed = ModelJson.safeParse(json);
  if (parsed.success) return parsed.data;
  throw refuseLayout(file, 'layers model', parsed.error);
}
