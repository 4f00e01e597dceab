// Reader of TensorFlow SavedModels (a folder with saved_model.pb), without native code.
import type { ModelFile, ModelReader } from '../model.ts';
import { describeGraph } from './graph-layers.ts';
import { findInputPreparation } from './graph-preparation.ts';
import { knownOrProbedShapes } from './graph-shapes.ts';
import {
  digestSavedModel,
  isSavedModel,
  readSavedModelFiles,
  requireVariables,
  requireWholeIndex,
  type SavedModelFiles,
} from './saved-model-files.ts';
import { readSavedModelGraph, type SavedModelGraph } from './saved-model-graph.ts';
import { attributeOf, tensorOf } from './saved-model-proto.ts';

export const savedModelReader: ModelReader = {
  recognises: isSavedModel,
  open: openSavedModel,
};

/** More values than an image has channels are no scale or shift. */
const MOST_VALUES = 4;

/** The graph of a SavedModel whose files are whole. @throws Refusal `model-unreadable` */
export async function loadSavedModelGraph(path: string): Promise<{ files: SavedModelFiles; model: SavedModelGraph }> {
  const files = await readSavedModelFiles(path);
  const model = readSavedModelGraph(files.bytes, files.path);
  if (model.meta.nodes.some(node => /^(VarHandleOp|VariableV2|Variable)$/.test(node.op))) {
    await requireVariables(files);
    await requireWholeIndex(files);
  }
  return { files, model };
}

async function openSavedModel(path: string): Promise<ModelFile> {
  const { files, model } = await loadSavedModelGraph(path);
  const constants = new Map(model.inlined.nodes.map(node => [node.name, node.proto]));
  const preprocessing = await findInputPreparation(model.graph, async name => {
    const { tensor } = attributeOf(constants.get(name)?.attributes.get('value'));
    return tensor === undefined ? undefined : tensorOf(tensor, MOST_VALUES).values;
  });
  const { table } = describeGraph(model.graph, preprocessing);
  const format = 'saved-model';
  return {
    path: files.path,
    format,
    sha256: await digestSavedModel(files),
    table,
    shapesFor: (inputShape, layers) => knownOrProbedShapes({ path: files.path, format, table }, inputShape, layers),
  };
}
