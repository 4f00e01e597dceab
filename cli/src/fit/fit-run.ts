// The plan of a training: model, layers, recipe and classes are settled and checked before the first batch.
import { createHash, randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { chooseRecipe } from '../../../extractor/src/choose-recipe.ts';
import { openModel } from '../../../extractor/src/model.ts';
import { resolveModel } from '../../../extractor/src/model-download.ts';
import { isKerasFormat } from '../../../extractor/src/models/keras-formats.ts';
import { selectLayers } from '../../../extractor/src/select.ts';
import { openSource } from '../../../services/producer/src/source.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import type { ExtractOptions } from '../../../shared/src/extract-options.ts';
import { canonicalJson, decidingFields } from '../../../shared/src/fingerprint.ts';
import type { Sample } from '../../../shared/src/manifest.ts';
import type { Recipe } from '../../../shared/src/recipe.ts';
import { shapeOfRecipe } from '../../../shared/src/recipe-shape.ts';
import type { ExtractRequest } from '../../../shared/src/request.ts';
import { ROW_COLUMNS } from '../../../shared/src/row-schema.ts';
import type { RunRecord } from '../../../shared/src/run.ts';
import { sourceSettings } from '../../../shared/src/source-options.ts';
import { commonVersions } from '../../../shared/src/versions.ts';
import { collectLabelled, type LabelledSamples, pickProbe } from './labelled-samples.ts';
import { MOMENT_COLUMNS } from './snapshot-parts.ts';

export interface FitOptions extends Omit<ExtractOptions, 'model'> {
  readonly model: string;
  /** SOURCE as given by the user. */
  readonly source: string;
  readonly epochs: number;
  readonly everyEpochs?: number | undefined;
  readonly everyBatches?: number | undefined;
  /** Samples whose features are written. */
  readonly probe: number;
  readonly learningRate: number;
  readonly seed: number;
}

export interface PlannedFit {
  /** Its shards are snapshots, at most so many; its manifest is the probe. */
  readonly run: RunRecord;
  readonly training: LabelledSamples;
  readonly probe: readonly Sample[];
  readonly recipe: Recipe;
  /** What the user should know before the training begins, one line each. */
  readonly notes: readonly string[];
}

export async function planFit(options: FitOptions): Promise<PlannedFit> {
  const model = await openModel(await resolveModel(options.model));
  if (!isKerasFormat(model.format)) {
    throw new Refusal('model-unreadable', `Expected a Keras model to train but ${model.path} is ${model.format}`, {
      hint: 'Train .keras, .h5 or TensorFlow.js layers models; other formats hold no layers that can be trained: extract their features instead.',
    });
  }
  const layers = selectLayers(model.table, options.layer);
  const { recipe, origin, notes } = await chooseRecipe(options, model);
  const inputShape = shapeOfRecipe(recipe);
  const shapes = await model.shapesFor(inputShape, layers);
  const source = await openSource(resolve(options.source), sourceSettings(options));
  const training = await collectLabelled(source, options.source);
  await checkClasses(training.classes, model.table.outputs, names => model.shapesFor(inputShape, names));

  const carried = [...source.carried, ...MOMENT_COLUMNS];
  checkNames(
    layers,
    source.carried.map(({ name }) => name),
  );
  const probe = pickProbe(training.samples, options.probe);
  const request: ExtractRequest = {
    model: model.path,
    modelSha256: model.sha256,
    layers: [...layers],
    pool: 'none',
    dtype: 'float32',
    recipe,
    recipeOrigin: origin,
    engine: 'tensorflow',
    batch: options.batch,
    format: options.format,
    ...(options.tensors === 'plain' && { tensors: 'plain' }),
  };
  const { epochs, everyEpochs, everyBatches, learningRate, seed } = options;
  const settings = { epochs, everyEpochs, everyBatches, learningRate, seed, classes: training.classes };
  const stepsPerEpoch = Math.ceil(training.samples.length / options.batch);
  const run: RunRecord = {
    version: 1,
    runId: `fit-${randomBytes(6).toString('hex')}`,
    createdAt: new Date().toISOString(),
    source: resolve(options.source),
    request,
    // Training decides these features too: the fingerprint must be no extraction's.
    fingerprint: sha256(canonicalJson({ ...decidingFields(request), fit: settings })),
    columns: layers.map((name, index) => ({ name, dtype: 'float32', shape: [...(shapes[index] ?? [])] })),
    carried: carried.map(column => ({ ...column })),
    manifest: { rows: probe.length, digest: sha256(probe.map(({ sampleId }) => sampleId).join('\n')) },
    shardSize: probe.length,
    shards: epochs + Math.floor((epochs * stepsPerEpoch) / (everyBatches ?? Number.POSITIVE_INFINITY)),
    partSchema: 2,
    versions: { ...commonVersions() },
  };
  return { run, training, probe, recipe, notes };
}

type ShapesOf = (names: readonly string[]) => Promise<readonly (readonly number[])[]>;

async function checkClasses(classes: readonly string[], outputs: readonly string[], shapesOf: ShapesOf): Promise<void> {
  const [shape, ...others] = await shapesOf(outputs);
  if (shape?.length !== 1 || others.length > 0) {
    throw new Refusal(
      'model-unreadable',
      `Expected a model with one output, a score per class, but it gives ${outputs.join(', ')}`,
    );
  }
  if (shape[0] === classes.length) return;
  throw new Refusal(
    'bad-option',
    `Expected ${shape[0]} classes in \`source\`, as many as the model's output '${outputs[0]}' has, but received ${classes.length}`,
    {
      hint: `The classes are ${classes.slice(0, 12).join(', ')}${classes.length > 12 ? ', …' : ''}.`,
    },
  );
}

function checkNames(layers: readonly string[], carried: readonly string[]): void {
  const fixed = [...ROW_COLUMNS, ...MOMENT_COLUMNS.map(({ name }) => name)];
  const names = [...fixed, ...carried, ...layers];
  const clash = names.find((name, index) => names.indexOf(name) !== index);
  if (clash === undefined) return;
  throw new Refusal('bad-option', `Expected names that differ for all columns but '${clash}' is there twice`, {
    hint: `Rename that column of the list; ${fixed.join(', ')} are taken.`,
  });
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
