// Reader of TensorFlow.js layers models (model.json with weight shards): layers, shapes and digest, without native code.
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { Refusal } from '../../../shared/src/errors.ts';
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import type { ModelFile, ModelReader } from '../model.ts';
import { describeLayers, requireLayerOutputs } from '../tfjs-graph.ts';
import { digestTfjsFiles, readTfjsFiles, type TfjsFiles } from './tfjs-files.ts';
import { buildWithoutWeights, buildWithWeights } from './tfjs-topology.ts';

export const tfjsLayersReader: ModelReader = {
  format: 'tfjs-layers',
  recognises,
  open: openTfjsLayers,
};

/**
 * Loads a TensorFlow.js layers model from disk, on whatever backend is current.
 * @param path model.json, or the folder that holds it
 * @param inputShape fixes open axes of the input: shape of one sample, without the batch axis
 * @throws Refusal `model-unreadable`; `recipe-mismatch` for an input shape that the model cannot take
 *
 * @example
 * const model = await loadLayersModel('models/mobilenet');
 */
export async function loadLayersModel(path: string, inputShape?: readonly number[]): Promise<tf.LayersModel> {
  const files = await readTfjsFiles(path);
  if (inputShape !== undefined) requireInput(await buildWithoutWeights(files), inputShape);
  return buildWithWeights(files, inputShape);
}

async function openTfjsLayers(path: string): Promise<ModelFile> {
  const files = await readTfjsFiles(path);
  const model = await buildWithoutWeights(files);
  requireAllWeights(files, model);
  const table = describeLayers(model);
  return {
    path: files.path,
    format: 'tfjs-layers',
    sha256: await digestTfjsFiles(files),
    table,
    shapesFor: (inputShape, layers) => shapesFor(files, model, inputShape, layers),
  };
}

async function shapesFor(
  files: TfjsFiles,
  model: tf.LayersModel,
  inputShape: readonly number[],
  layers: readonly string[],
): Promise<readonly (readonly number[])[]> {
  requireLayerOutputs(model, layers);
  requireInput(model, inputShape);
  let fixed: tf.LayersModel;
  try {
    fixed = await buildWithoutWeights(files, inputShape);
  } catch (cause) {
    throw new Refusal(
      'recipe-mismatch',
      `Expected an input that the layers can take but received ${list(inputShape)}`,
      {
        hint: `The model's input is ${list(model.inputs[0]?.shape.slice(1) ?? [])}; change the recipe's size.`,
        cause,
      },
    );
  }
  return requireLayerOutputs(fixed, layers).map(({ name, shape }) => {
    // A scalar per sample is a feature of shape [1].
    const axes = shape.length === 1 ? [1] : shape.slice(1);
    const known = axes.filter((axis): axis is number => axis !== null);
    if (known.length === axes.length) return known;
    throw new Refusal('recipe-mismatch', `Expected a layer of fixed shape but '${name}' gives ${list(axes)}`);
  });
}

/** Refuses (`recipe-mismatch`) a shape that the model's input does not allow. */
function requireInput(model: tf.LayersModel, inputShape: readonly number[]): void {
  if (model.inputs.length !== 1) {
    throw new Refusal(
      'recipe-mismatch',
      `Expected a model with one image input but received ${model.inputs.length}: ${model.inputNames.join(', ')}`,
    );
  }
  const declared = model.inputs[0]?.shape.slice(1) ?? [];
  const fits =
    declared.length === inputShape.length && declared.every((axis, i) => axis === null || axis === inputShape[i]);
  if (fits) return;
  throw new Refusal(
    'recipe-mismatch',
    `Expected an input of shape ${list(declared)} but the recipe gives ${list(inputShape)}`,
    {
      hint: 'Shapes are [height, width, channels]; change the size or the channels of the recipe.',
    },
  );
}

/** The files can be whole and still hold another model's weights: their number tells. */
function requireAllWeights(files: TfjsFiles, model: tf.LayersModel): void {
  const given = files.weightSpecs
    .filter(spec => spec.group !== 'optimizer')
    .reduce((count, spec) => count + sizeOfShape(spec.shape), 0);
  const wanted = model.countParams();
  if (given === wanted) return;
  throw new Refusal(
    'model-unreadable',
    `Expected weights for ${wanted} parameters in ${files.path} but received ${given}`,
    {
      hint: 'The weights belong to another model, or some are missing: convert the model again.',
    },
  );
}

async function recognises(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return (await stat(join(path, 'model.json')).catch(() => undefined)) !== undefined;
  if (found === undefined) return false;
  return path.endsWith('.json') || (await readFile(path, { encoding: 'utf8' })).trimStart().startsWith('{');
}

function list(shape: readonly (number | null)[]): string {
  return `[${shape.map(axis => axis ?? '?').join(', ')}]`;
}
