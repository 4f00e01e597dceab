// Plans more layers for a finished run: a run of their own over the same manifest, in a folder beside its parts, and the record
// that the run gets once their columns are there.
import { join } from 'node:path';
import { planRequestColumns } from '../../../extractor/src/columns.ts';
import { decideEngine } from '../../../extractor/src/compile/decide-engine.ts';
import type { ModelFile } from '../../../extractor/src/model.ts';
import { requirePoolable } from '../../../extractor/src/poolable.ts';
import { selectLayers } from '../../../extractor/src/select.ts';
import type { CompiledRecord } from '../../../shared/src/compiled-record.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import { fingerprintOf } from '../../../shared/src/fingerprint.ts';
import { MANIFEST_FILE_ROWS, manifestPath } from '../../../shared/src/manifest.ts';
import { shapeOfRecipe } from '../../../shared/src/recipe-shape.ts';
import { type EngineName, ExtractRequest, formatsOf, ModelRequest, modelsOf } from '../../../shared/src/request.ts';
import {
  CONDITIONS_FILE,
  createRun,
  findRun,
  newRunId,
  type RunRecord,
  readReceipts,
} from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { commonVersions } from '../../../shared/src/versions.ts';
import { checkColumnNames } from './column-names.ts';
import { wantedOf } from './name-models.ts';
import { outputBytes, requireRoom } from './output-size.ts';
import { publishCompiled } from './publish-compiled.ts';
import { requireFinished } from './require-finished.ts';

export interface LayersChoice {
  /** Those of the run, in their order. */
  readonly models: readonly ModelFile[];
  /** As for a new run: names, patterns, positions; of one among several models, `NAME/LAYER`. */
  readonly wanted: readonly string[];
  /** As for a new run. */
  readonly maxOutput: number | 'none' | undefined;
  readonly signal?: AbortSignal;
  /** Told where a model is compiled and compared, which takes seconds to minutes. */
  readonly onCompare?: (reference: EngineName) => void;
  /** What the user should know before the work begins. */
  readonly onNote?: (note: string) => void;
}

export interface PlannedLayers {
  /** Of the new columns alone; one that was interrupted goes on. */
  readonly run: RunRecord;
  readonly storage: Storage;
  /** The run with all columns; until every shard has them it says so. */
  readonly extended: RunRecord;
}

/**
 * Undefined where the run has all the layers. Recipe, pooling, type and engine are those of the run: an image gives the columns
 * that it would have given in the first place.
 * @throws Refusal `run-incomplete` for a run that is not done, `unknown-layer`, `bad-option` where the pooling does not fit,
 * `output-unwritable` where there is no room
 */
export async function planLayers(
  storage: Storage,
  run: RunRecord,
  choice: LayersChoice,
): Promise<PlannedLayers | undefined> {
  await requireFinished(storage, run);
  const models: ModelOfLayers[] = [];
  for (const model of modelsOf(run.request))
    models.push(await addTo(run.request, ModelAlone.parse(model), models.length, choice));
  if (models.every(({ added }) => added.length === 0)) return undefined;
  const request = withModels(run.request, models);
  const columns = planRequestColumns(
    request,
    models.map(({ shapes }) => shapes),
  );
  const features = columns.flat().map(({ feature: { name, dtype, shape } }) => ({ name, dtype, shape: [...shape] }));
  checkColumnNames(features, run.carried);
  const standing = new Set(run.columns.map(({ name }) => name));
  const own = features.filter(({ name }) => !standing.has(name));
  const { rows } = run.manifest;
  // Once in the run of their own, and once in the parts; the old files of a compacted run go last of all.
  const old = (await isCompacted(storage, run)) ? outputBytes(run.columns, rows, run.request.format) : 0;
  await requireRoom(2 * outputBytes(own, rows, run.request.format) + old, rows, {
    out: storage.root,
    maxOutput: choice.maxOutput,
    hint: 'Make room, take fewer layers, or give another --max-output (`none` does not look).',
  });

  const [format] = formatsOf(run.request.format);
  if (format === undefined) throw new Error('Expected a format');
  const wanted = withModels(
    { ...run.request, format },
    models.filter(({ added }) => added.length > 0).map(each => ({ model: onlyLayers(each) })),
  );
  const folder = `.layertap-layers-${fingerprintOf(wanted).slice(0, 12)}`;
  const planned = openFileStorage(join(storage.root, folder));
  const added = await ownRun(storage, run, planned, { request: wanted, columns: own }, choice.signal);
  await publishCompiled(
    planned,
    added.request,
    choice.models.filter((_, index) => (models[index]?.added.length ?? 0) > 0),
    choice.signal,
  );
  await publishCompiled(storage, request, choice.models, choice.signal);
  return {
    run: added,
    storage: planned,
    extended: {
      ...run,
      request,
      fingerprint: fingerprintOf(request),
      columns: features,
      adding: { fingerprint: run.fingerprint, folder },
    },
  };
}

interface ModelOfLayers {
  /** With all of its layers. */
  readonly model: ModelRequest;
  readonly added: readonly string[];
  /** Of a model that runs compiled: that of the added layers alone. */
  readonly addedCompiled?: CompiledRecord | undefined;
  /** Of all of its layers, without the batch axis. */
  readonly shapes: readonly (readonly number[])[];
}

async function addTo(
  request: ExtractRequest,
  model: ModelRequest,
  index: number,
  { models, wanted, onNote, onCompare, signal }: LayersChoice,
): Promise<ModelOfLayers> {
  const file = models[index];
  if (file === undefined) throw new Error(`Expected the model '${model.model}'`);
  const names = modelsOf(request).map(({ modelName }) => modelName);
  const selected = selectLayers(file.table, wantedOf(model.modelName, names, wanted));
  const added = selected.filter(layer => !model.layers.includes(layer));
  const predictions = model.predictions ?? [];
  // The predictions come last.
  const kept = model.layers.filter(layer => !predictions.includes(layer));
  const layers = [...kept, ...added, ...predictions];
  const shapes = await file.shapesFor(shapeOfRecipe(model.recipe), layers);
  requirePoolable(file.table, added, shapes.slice(kept.length), request.pool);
  if (added.length === 0 || model.lowering === undefined) return { model: { ...model, layers }, added, shapes };
  // The comparison of the run was one of its own layers.
  const options = { recipe: model.recipe, batch: request.batch, signal, onCompare };
  const alone = await decideEngine('auto', file, { ...options, layers: added });
  if (alone.engine !== model.engine) {
    onNote?.(
      `engine ${model.engine} stays, as the run began with it; alone, these layers would get ${alone.engine}: ${alone.reason}`,
    );
  }
  const { compiled: addedCompiled } =
    alone.compiled === undefined ? await decideEngine('onnx', file, { ...options, layers: added }) : alone;
  const { compiled, warning } = await decideEngine('onnx', file, { ...options, layers });
  const whole = { ...model, layers, ...(compiled && { compiled }), ...(warning && { engineWarning: warning }) };
  return { model: whole, added, addedCompiled, shapes };
}

async function isCompacted(storage: Storage, run: RunRecord): Promise<boolean> {
  for await (const { files } of readReceipts(storage, run))
    if (files.some(({ range }) => range !== undefined)) return true;
  return false;
}

function onlyLayers({ model, added, addedCompiled }: ModelOfLayers): ModelRequest {
  const { predictions: _, compiled: __, ...rest } = model;
  return { ...rest, layers: [...added], ...(addedCompiled && { compiled: addedCompiled }) };
}

/** All that is not of a model stays. */
function withModels(request: ExtractRequest, models: readonly Pick<ModelOfLayers, 'model'>[]): ExtractRequest {
  const [first, ...others] = models.map(({ model }) => model);
  if (first === undefined) throw new Error('Expected at least one model');
  const { pool, normalize, dtype, batch, deterministic, format } = request;
  return ExtractRequest.parse({
    // The first model stands in the request itself: without what it had and this one lacks.
    ...first,
    ...{ pool, dtype, batch, format },
    ...(normalize !== undefined && { normalize }),
    ...(deterministic !== undefined && { deterministic }),
    ...(others.length > 0 && { otherModels: others }),
  });
}

/** Of the first model, without the rest of the request. */
const ModelAlone = ModelRequest.strip();

/** The run that makes the new columns: the one that was begun before, if it has the same work. */
async function ownRun(
  storage: Storage,
  run: RunRecord,
  own: Storage,
  { request, columns }: Pick<RunRecord, 'request' | 'columns'>,
  signal: AbortSignal | undefined,
): Promise<RunRecord> {
  const begun = await findRun(own);
  const sameRows = begun?.manifest.digest === run.manifest.digest && begun.shardSize === run.shardSize;
  if (begun !== undefined && sameRows && begun.fingerprint === fingerprintOf(request)) return begun;
  await own.removeFolder('.');
  const runId = newRunId();
  for (let row = 0; row < run.manifest.rows; row += MANIFEST_FILE_ROWS) {
    signal?.throwIfAborted();
    const path = manifestPath(run.runId, row);
    const bytes = await storage.read(path);
    if (bytes === undefined) {
      throw new Refusal('run-unreadable', `Expected the manifest in '${storage.root}/${path}' but it is missing`, {
        hint: 'Restore it from a backup, or extract into another directory.',
      });
    }
    await own.replace(manifestPath(runId, row), bytes);
  }
  // Before the first worker would write down its own; they name the versions of every engine.
  const conditions = await storage.read(CONDITIONS_FILE);
  if (conditions !== undefined && enginesOf(request) === enginesOf(run.request))
    await own.replace(CONDITIONS_FILE, conditions);
  // What kills engine processes has failed in any case.
  for await (const path of storage.list('quarantine')) {
    const bytes = await storage.read(path);
    if (bytes !== undefined) await own.replace(path, bytes);
  }
  const { source, carried, manifest, shardSize, shards, partSchema } = run;
  const planned: RunRecord = {
    version: 1,
    runId,
    createdAt: new Date().toISOString(),
    ...{
      source,
      request,
      fingerprint: fingerprintOf(request),
      columns,
      carried,
      manifest,
      shardSize,
      shards,
      partSchema,
    },
    versions: { ...commonVersions() },
  };
  await createRun(own, planned);
  return planned;
}

function enginesOf(request: ExtractRequest): string {
  return [...new Set(modelsOf(request).map(({ engine }) => engine))].sort().join();
}
