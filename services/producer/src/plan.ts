// The plan of a run: model, layers, recipe, engine and manifest are settled and checked, then run.json is written.
import { isAbsolute, resolve } from 'node:path';
import type { ModelFile } from '../../../extractor/src/model.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import type { ExtractOptions } from '../../../shared/src/extract-options.ts';
import { fingerprintOf } from '../../../shared/src/fingerprint.ts';
import { manifestFolder } from '../../../shared/src/manifest.ts';
import type { EngineName, ExtractRequest } from '../../../shared/src/request.ts';
import { createRun, describeDifferences, findRun, newRunId, type RunRecord } from '../../../shared/src/run.ts';
import { describeSkipped, isLink, type Skipped } from '../../../shared/src/skipped.ts';
import { type SourceSettings, sourceSettings } from '../../../shared/src/source-options.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { isTemporary, openFileStorage } from '../../../shared/src/storages/file.ts';
import { bytesPerRow, type FeatureSpec } from '../../../shared/src/tensor.ts';
import { commonVersions } from '../../../shared/src/versions.ts';
import { checkColumnNames } from './column-names.ts';
import { decideRequest, openModels } from './decide-request.ts';
import { outputBytes, requireRoom } from './output-size.ts';
import { publishCompiled, restoreCompiled } from './publish-compiled.ts';
import { openSource } from './source.ts';
import { writeManifest } from './write-manifest.ts';

export interface PlannedRun {
  readonly run: RunRecord;
  readonly storage: Storage;
  /** True when the directory held this very run already: it is continued. */
  readonly continued: boolean;
  /** What the user should know before the run begins, one line each. */
  readonly notes: readonly string[];
}

export interface PlanOptions extends ExtractOptions {
  /** SOURCE as given by the user. */
  readonly source: string;
  readonly onProgress?: (samples: number) => void;
  /** Ends the walk through the source with its reason; what was written so far does not stand in anybody's way. */
  readonly signal?: AbortSignal;
  /** Told where the engine is decided by a comparison, which takes seconds to minutes. */
  readonly onCompareEngines?: (reference: EngineName) => void;
  /** Called before the engine is chosen: the moment to fetch what the model's best engine lacks. */
  readonly prepareEngine?: (model: ModelFile) => Promise<void>;
}

/** A part of about this size is written and retried as one. */
const PART_BYTES = 128 * 1024 * 1024;
const PART_MAX_ROWS = 2_048;
/** A small set is cut into so many shards, so that all workers have something to do, and to the end. */
const SHARDS_OF_SMALL = 32;
/** 2, 4 or 8 engine processes share a multiple of it evenly: none is left over for one of them at the end. */
const SHARDS_STEP = 8;

export async function planRun(options: PlanOptions): Promise<PlannedRun> {
  const storage = openFileStorage(resolve(options.out));
  const location = absoluteSource(options.source);
  const begun = await findRun(storage);
  return begun === undefined ? beginRun(options, storage, location) : continueRun(options, storage, location, begun);
}

/** A run goes on without its source: its manifest stands. */
async function continueRun(
  options: PlanOptions,
  storage: Storage,
  location: string,
  run: RunRecord,
): Promise<PlannedRun> {
  const models = await openModels(options);
  const { request, notes } = await decideRequest(options, models, run.request);
  requireSameWork(storage, run, request, {
    source: location,
    settings: sourceSettings(options),
    limit: options.limit,
  });
  const files = models.map(({ file }) => file);
  const unrestored = await restoreCompiled(storage, run.request, files, options.signal);
  return {
    run,
    storage,
    continued: true,
    notes: [...notes, ...(unrestored === undefined ? [] : [unrestored]), ...continuedNotes(options, run)],
  };
}

async function beginRun(options: PlanOptions, storage: Storage, location: string): Promise<PlannedRun> {
  // What is wrong with these is told before a model is downloaded and compiled.
  await requireEmpty(storage);
  const settings = sourceSettings(options);
  const source = await openSource(location, settings);
  const models = await openModels(options);
  const { request, columns, notes } = await decideRequest(options, models, undefined);
  checkColumnNames(columns, source.carried);
  const runId = newRunId();
  const manifest = await writeManifest({
    storage,
    runId,
    source,
    limit: options.limit,
    duplicates: options.duplicates,
    ...(options.signal && { signal: options.signal }),
    ...(options.onProgress && { onProgress: options.onProgress }),
  });
  options.signal?.throwIfAborted();
  const removeManifest = async (): Promise<void> => {
    for await (const path of storage.list(manifestFolder(runId))) await storage.remove(path);
  };
  const skipped = source.skipped?.() ?? [];
  try {
    requireFewLinks(manifest.rows, skipped, location);
    await requireRoom(outputBytes(columns, manifest.rows, request.format), manifest.rows, {
      out: storage.root,
      maxOutput: options.maxOutput,
    });
  } catch (error) {
    await removeManifest();
    throw error;
  }
  const shardSize = options.shardSize ?? shardSizeFor(columns, manifest.rows, request.batch);
  const run: RunRecord = {
    version: 1,
    runId,
    createdAt: new Date().toISOString(),
    source: location,
    ...(settings && { sourceSettings: settings }),
    limit: options.limit,
    request,
    fingerprint: fingerprintOf(request),
    columns: columns.map(({ name, dtype, shape }) => ({ name, dtype, shape: [...shape] })),
    carried: [...source.carried],
    manifest,
    ...(skipped.length > 0 && { skipped: [...skipped] }),
    shardSize,
    shards: Math.ceil(manifest.rows / shardSize),
    partSchema: 2,
    versions: { ...commonVersions() },
  };
  // Before run.json names it: what a producer leaves that is not first is garbage.
  await publishCompiled(
    storage,
    request,
    models.map(({ file }) => file),
    options.signal,
  );
  if (!(await createRun(storage, run))) {
    await removeManifest();
    throw new Refusal('run-mismatch', `Another producer began a run in '${storage.root}' at the same moment`, {
      hint: 'Run the same command again: it continues that run when the request is the same.',
    });
  }
  return {
    run,
    storage,
    continued: false,
    notes: [...notes, ...(source.notes ?? []), ...skipped.map(each => `skipped ${describeSkipped(each)}`)],
  };
}

/** Refuses (`run-mismatch`) another work than that which stands in the directory. */
function requireSameWork(
  storage: Storage,
  run: RunRecord,
  request: ExtractRequest,
  { source, settings, limit }: Pick<RunRecord, 'source' | 'limit'> & { readonly settings: SourceSettings | undefined },
): void {
  const differences = [...describeDifferences(run, request, source)];
  const [before, now] = [run.sourceSettings, settings].map(each => JSON.stringify(each) ?? 'none');
  if (before !== now) differences.push(`the source was read with ${before} and is now with ${now}`);
  if (run.limit !== limit) differences.push(`limit was ${run.limit ?? 'none'} and is now ${limit ?? 'none'}`);
  // Its parts so far were made without keeping to one processor and one set of versions.
  if (request.deterministic && !run.request.deterministic) differences.push('it was not begun with --deterministic');
  if (differences.length === 0) return;
  throw new Refusal(
    'run-mismatch',
    `Expected '${storage.root}' to be empty or to hold the same run but ${differences.join('; ')}`,
    {
      hint: 'Choose another --out, or continue the old run with `npx layertap resume`.',
    },
  );
}

/** Most of a folder of links to photos elsewhere would be missing behind one line of the log. */
function requireFewLinks(rows: number, skipped: readonly Skipped[], location: string): void {
  const links = skipped.filter(isLink);
  if (links.reduce((sum, { count }) => sum + count, 0) <= rows) return;
  throw new Refusal(
    'source-unreadable',
    `Expected images in "${location}" but more of it are links that are not followed than images: ${links.map(describeSkipped).join('; ')}`,
    { hint: 'Take what they lead to with --follow-links, or name the images that you mean in a list.' },
  );
}

/** Refuses (`run-mismatch`) a directory that holds anything but what a producer left that was killed before run.json. */
async function requireEmpty(storage: Storage): Promise<void> {
  for await (const path of storage.list('.')) {
    if (/^\.\/(manifest|compiled)\//.test(path) || isTemporary(path)) continue;
    throw new Refusal('run-mismatch', `Expected '${storage.root}' to be empty but it holds '${path.slice(2)}'`, {
      hint: 'Choose another --out: a run has its directory for itself.',
    });
  }
}

/** What a continued run does not take over from the command. */
function continuedNotes(options: PlanOptions, run: RunRecord): readonly string[] {
  const { batch } = run.request;
  const notes = [`its manifest of ${run.manifest.rows} images stands: images that came since are not in it`];
  if (options.batch !== batch) notes.push(`--batch ${batch} stands, as the run began with it`);
  if (run.request.deterministic && !options.deterministic)
    notes.push('--deterministic stands, as the run began with it');
  if (options.shardSize !== undefined && options.shardSize !== run.shardSize) {
    notes.push(`--shard-size ${run.shardSize} stands, as the run began with it`);
  }
  return notes;
}

/** Whole batches where a part's size decides; small sets in equal shards, each of at least a batch. */
function shardSizeFor(columns: readonly FeatureSpec[], rows: number, batch: number): number {
  const bytes = columns.reduce((sum, column) => sum + bytesPerRow(column), 0);
  const byBytes = Math.min(PART_MAX_ROWS, Math.floor(PART_BYTES / Math.max(1, bytes)));
  const most = Math.max(1, Math.ceil(byBytes / batch)) * batch;
  const shards = Math.min(SHARDS_OF_SMALL, SHARDS_STEP * Math.floor(rows / (SHARDS_STEP * batch)));
  return shards === 0 ? batch : Math.min(most, Math.ceil(rows / shards));
}

/** Globs keep their pattern; everything becomes absolute, so that workers elsewhere mean the same place. */
function absoluteSource(source: string): string {
  return isAbsolute(source) ? source : resolve(source);
}
