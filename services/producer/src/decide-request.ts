// What a run extracts, settled and checked: for each model its layers, recipe and engine, and the columns of all. For plan.ts.
import { chooseRecipe } from '../../../extractor/src/choose-recipe.ts';
import { planRequestColumns } from '../../../extractor/src/columns.ts';
import { decideEngine } from '../../../extractor/src/compile/decide-engine.ts';
import type { EngineChoice } from '../../../extractor/src/engine-choice.ts';
import { type ModelFile, openModel } from '../../../extractor/src/model.ts';
import { locateModel } from '../../../extractor/src/model-download.ts';
import { requirePoolable } from '../../../extractor/src/poolable.ts';
import { selectLayers } from '../../../extractor/src/select.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import { shapeOfRecipe } from '../../../shared/src/recipe-shape.ts';
import { type ExtractRequest, type ModelRequest, modelsOf } from '../../../shared/src/request.ts';
import type { FeatureSpec } from '../../../shared/src/tensor.ts';
import { layersOf, nameModels } from './name-models.ts';
import type { PlanOptions } from './plan.ts';

export interface OpenedModel {
  readonly name: string | undefined;
  readonly file: ModelFile;
  /** Where a worker elsewhere gets it, if it came from there. */
  readonly url: string | undefined;
  /** What is wanted of it, as the user wrote it. */
  readonly wanted: readonly string[];
}

/** The models of a command, downloaded where they came by address. */
export async function openModels({ model, modelSha256, layer, signal }: PlanOptions): Promise<readonly OpenedModel[]> {
  const named = nameModels(model);
  if (modelSha256 !== undefined && named.length > 1) {
    throw new Refusal('bad-option', `Expected one model for --model-sha256 but received ${named.length}`, {
      hint: 'Put each digest behind its address: --model https://host/model.onnx#sha256=HEX.',
    });
  }
  const models: OpenedModel[] = [];
  for (const each of named) {
    const { path, url } = await locateModel(each.reference, { sha256: modelSha256, signal });
    models.push({ name: each.name, file: await openModel(path), url, wanted: layersOf(each, named, layer) });
  }
  return models;
}

export interface DecidedRequest {
  readonly request: ExtractRequest;
  readonly columns: readonly FeatureSpec[];
  /** For the user, before the run. */
  readonly notes: readonly string[];
}

/** @param begun the request of a run that stands already: its engines stay */
export async function decideRequest(
  options: PlanOptions,
  models: readonly OpenedModel[],
  begun: ExtractRequest | undefined,
): Promise<DecidedRequest> {
  const decided: DecidedModel[] = [];
  for (const model of models) decided.push(await decideModel(options, model, begun));
  const [first, ...others] = decided.map(({ request }) => request);
  if (first === undefined) throw new Error('Expected at least one model');
  const request: ExtractRequest = {
    ...first,
    pool: options.pool,
    ...(options.normalize !== 'none' && { normalize: options.normalize }),
    dtype: options.dtype,
    batch: options.batch,
    ...(options.deterministic && { deterministic: true as const }),
    format: options.format,
    ...(options.tensors === 'plain' && { tensors: 'plain' as const }),
    ...(others.length > 0 && { otherModels: others }),
  };
  const columns = planRequestColumns(
    request,
    decided.map(({ shapes }) => shapes),
  );
  return {
    request,
    columns: columns.flat().map(({ feature }) => feature),
    notes: decided.flatMap(({ request: { modelName }, notes }) =>
      notes.map(note => (modelName === undefined ? note : `${modelName}: ${note}`)),
    ),
  };
}

interface DecidedModel {
  readonly request: ModelRequest;
  /** Of its layers, without the batch axis. */
  readonly shapes: readonly (readonly number[])[];
  readonly notes: readonly string[];
}

async function decideModel(
  options: PlanOptions,
  { name, file, url, wanted }: OpenedModel,
  begun: ExtractRequest | undefined,
): Promise<DecidedModel> {
  const { layers, predictions } = chooseLayers(file, wanted, options.withPredictions);
  const { recipe, origin, notes } = await chooseRecipe(options, file);
  await options.prepareEngine?.(file);
  const shapes = await file.shapesFor(shapeOfRecipe(recipe), layers);
  // The predictions come last.
  requirePoolable(file.table, layers.slice(0, layers.length - predictions.length), shapes, options.pool);
  const standing = standingEngine(options, { name, sha256: file.sha256 }, begun);
  const { batch, onCompareEngines: onCompare, signal } = options;
  const { engine, lowering, compiled, warning, reason } =
    standing ?? (await decideEngine(options.engine, file, { layers, recipe, batch, onCompare, signal }));
  return {
    request: {
      model: file.path,
      ...(name !== undefined && { modelName: name }),
      ...(url !== undefined && { modelUrl: url }),
      modelSha256: file.sha256,
      layers: [...layers],
      ...(predictions.length > 0 && { predictions: [...predictions] }),
      recipe,
      recipeOrigin: origin,
      engine,
      ...(lowering !== undefined && { lowering }),
      ...(compiled !== undefined && { compiled }),
      ...(warning !== undefined && { engineWarning: warning }),
    },
    shapes,
    notes: [`engine ${engine}: ${reason}`, ...notes],
  };
}

/** A run goes on with the engines that it began with: only its first producer decides. */
function standingEngine(
  options: PlanOptions,
  { name, sha256 }: { readonly name: string | undefined; readonly sha256: string },
  begun: ExtractRequest | undefined,
): EngineChoice | undefined {
  const standing = begun && modelsOf(begun).find(model => model.modelSha256 === sha256 && model.modelName === name);
  if (options.engine !== 'auto' || standing === undefined) return undefined;
  const { engine, lowering, compiled, engineWarning: warning } = standing;
  return { engine, lowering, compiled, warning, reason: 'The run began with it.' };
}

/** The layers asked for, then those of the predictions that are not among them. */
function chooseLayers(
  { table }: ModelFile,
  wanted: readonly string[],
  withPredictions: boolean,
): { readonly layers: readonly string[]; readonly predictions: readonly string[] } {
  const layers = selectLayers(table, wanted);
  if (!withPredictions) return { layers, predictions: [] };
  const predictions = selectLayers(table, ['outputs']).filter(name => !layers.includes(name));
  return { layers: [...layers, ...predictions], predictions };
}
