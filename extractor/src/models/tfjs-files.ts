// The files of a TensorFlow.js layers model: model.json and its weight shards, checked for wholeness before anything is loaded.
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { hasErrorCode, Refusal } from '../../../shared/src/errors.ts';
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
 * Reads model.json and looks at the size of every weight file; reads no weights.
 * @param path model.json or the folder that holds it
 * @throws Refusal `model-unreadable`
 */
export async function readTfjsFiles(path: string): Promise<TfjsFiles> {
  const file = await modelJsonPath(path);
  const { modelTopology, weightsManifest } = parseModelJson(file, await readText(file));
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

async function modelJsonPath(path: string): Promise<string> {
  const absolute = resolve(path);
  const isFolder = await stat(absolute).then(
    found => found.isDirectory(),
    () => false,
  );
  return isFolder ? join(absolute, 'model.json') : absolute;
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const found = hasErrorCode(cause, 'ENOENT') ? 'no such file' : 'one that cannot be read';
    throw new Refusal('model-unreadable', `Expected a TensorFlow.js model file at ${file} but received ${found}`, {
      hint: 'Give model.json, or the folder that holds it.',
      cause,
    });
  }
}

function parseModelJson(file: string, text: string): z.output<typeof ModelJson> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Refusal(
      'model-unreadable',
      `Expected JSON in ${file} but received ${text.length} characters that are none`,
      {
        hint: 'The file may be truncated: copy or convert the model again.',
        cause,
      },
    );
  }
  refuseOtherKinds(file, json);
  const parsed = ModelJson.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new Refusal(
    'model-unreadable',
    `Expected a TensorFlow.js layers model in ${file} but received another layout`,
    {
      hint: z.prettifyError(parsed.error).split('\n').slice(0, 2).join(' ').trim(),
    },
  );
}

/** Says what the file is where it is something that users take for a layers model. */
function refuseOtherKinds(file: string, json: unknown): void {
  const Probe = z.looseObject({
    format: z.string().optional(),
    modelTopology: z.looseObject({ node: z.unknown() }).optional(),
  });
  const probe = Probe.safeParse(json).data;
  if (probe?.format === 'graph-model' || probe?.modelTopology?.node !== undefined) {
    throw new Refusal(
      'model-unreadable',
      `Expected a TensorFlow.js layers model in ${file} but received a graph model`,
      {
        hint: 'A graph model keeps no Keras layers: export the Keras model with `tensorflowjs_converter --output_format tfjs_layers_model`.',
      },
    );
  }
}
