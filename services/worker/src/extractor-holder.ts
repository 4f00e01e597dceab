// Holds the warmed extractors of an engine process, one for each model of a request; loads others only when that changes.

import { checkAnswers } from '../../../extractor/src/compile/answers.ts';
import { LOWERING } from '../../../extractor/src/compile/lowering-version.ts';
import { type Extractor, openEngine } from '../../../extractor/src/engine.ts';
import { identifyModel } from '../../../extractor/src/model.ts';
import { resolveModel } from '../../../extractor/src/model-download.ts';
import { openCompiled } from '../../../shared/src/compiled-file.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import { shapeOfRecipe } from '../../../shared/src/recipe-shape.ts';
import { type ExtractRequest, type ModelRequest, modelsOf } from '../../../shared/src/request.ts';
import type { RunRecord } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { openCarefulExtractor } from './careful-extractor.ts';

export interface HeldExtractor {
  /** One for each model of the request. */
  readonly extractors: readonly Extractor[];
  readonly versions: Readonly<Record<string, string>>;
  /** Of compiled models, in words: where each came from, and what reading and checking it took. */
  readonly origins: readonly string[];
  /** Seconds that loading and warming took. */
  readonly seconds: number;
  /** Loads of this holder so far: stays 1 over all shards of one request. */
  readonly loads: number;
}

export interface ExtractorHolder {
  /** The extractors of a run's request, loaded and warmed where they are not held already. */
  extractorFor(run: RunRecord, storage: Storage): Promise<HeldExtractor>;
  close(): Promise<void>;
}

export interface HolderOptions {
  /** Of the native runtime, for that request. */
  readonly threadsOf: (request: ExtractRequest) => number;
  /** How often to halve the batch before the first run, as processes before this one were killed. @default 0 */
  readonly halvings?: number;
  readonly onWarning?: (message: string) => void;
}

export function openExtractorHolder(options: HolderOptions): ExtractorHolder {
  let held: { readonly key: string; readonly value: HeldExtractor } | undefined;
  let loads = 0;

  async function close(): Promise<void> {
    for (const extractor of held?.value.extractors ?? []) await extractor.close();
    held = undefined;
  }

  return {
    async extractorFor(run, storage): Promise<HeldExtractor> {
      const key = keyOf(run);
      if (held?.key === key) return held.value;
      await close();
      loads++;
      held = { key, value: await load(run, storage, options, loads) };
      return held.value;
    },
    close,
  };
}

/** What decides how an extractor is loaded: two runs of one fingerprint may have been planned with other compiled files. */
function keyOf({ fingerprint, request }: RunRecord): string {
  const files = modelsOf(request).map(({ compiled }) => compiled?.sha256);
  return JSON.stringify([fingerprint, request.batch, request.deterministic, files]);
}

async function load(run: RunRecord, storage: Storage, options: HolderOptions, loads: number): Promise<HeldExtractor> {
  const started = performance.now();
  const extractors: Extractor[] = [];
  const origins: string[] = [];
  let versions: Readonly<Record<string, string>> = {};
  try {
    for (const request of modelsOf(run.request)) {
      const opened = await openModel(request, run.request, storage, options);
      extractors.push(opened.extractor);
      origins.push(...(opened.origin ?? []));
      versions = { ...versions, ...opened.versions };
    }
  } catch (error) {
    // A worker that lacks one of the models tries again and again.
    for (const extractor of extractors) await extractor.close();
    throw error;
  }
  return { extractors, versions, origins, seconds: (performance.now() - started) / 1000, loads };
}

interface OpenedModel {
  readonly extractor: Extractor;
  readonly versions: Readonly<Record<string, string>>;
  readonly origin: readonly string[];
}

const ORIGINS = {
  cache: 'from the cache',
  run: 'from the run directory',
  compiler: 'compiled here',
} as const satisfies Record<NonNullable<Extractor['origin']>['from'], string>;

/** @param checkSeconds where its answers were compared with those of the run */
function describeOrigin({ origin }: Extractor, checkSeconds: number | undefined): readonly string[] {
  if (origin === undefined) return [];
  const checked = checkSeconds === undefined ? '' : `, ${checkSeconds.toFixed(2)} s to check on this processor`;
  return [`compiled model ${ORIGINS[origin.from]}: ${origin.seconds.toFixed(2)} s to read${checked}`];
}

async function openModel(
  request: ModelRequest,
  run: ExtractRequest,
  storage: Storage,
  options: HolderOptions,
): Promise<OpenedModel> {
  // The path is the producer's; a model with an address is in each machine's own cache, or comes there now.
  const model = await identifyModel(await resolveModel(request.modelUrl ?? request.model));
  if (model.sha256 !== request.modelSha256) {
    throw new Refusal(
      'model-mismatch',
      `Expected the model '${request.model}' to have sha256 ${request.modelSha256.slice(0, 12)}… but it has ${model.sha256.slice(0, 12)}…`,
      {
        hint: 'The model file changed since the run began: put the old one back, or extract into another directory.',
      },
    );
  }
  if (request.lowering !== undefined && request.lowering !== LOWERING) {
    throw new Refusal(
      'engine-unavailable',
      `Expected a worker with version ${request.lowering} of the compiler, with which the run began, but this one has ${LOWERING}`,
      {
        hint: 'Finish the run with workers of the version of layertap that began it, or extract into another directory.',
      },
    );
  }
  const engine = await openEngine(request.engine, { threads: options.threadsOf(run) });
  const inputShape = shapeOfRecipe(request.recipe);
  const { compiled } = request;
  const { batch, deterministic } = run;
  const loaded = await engine.load({
    model: model.path,
    layers: request.layers,
    inputShape,
    modelSha256: model.sha256,
    compiled: compiled && { record: compiled, open: () => openCompiled(storage, compiled) },
  });
  // Of fewer rows at a time the last bits may be others.
  const extractor = deterministic
    ? loaded
    : openCarefulExtractor(loaded, {
        mostRows: Math.ceil(batch / 2 ** (options.halvings ?? 0)),
        onHalved: (rows, error) =>
          options.onWarning?.(
            `the memory does not suffice for a batch, from here on ${rows} images at a time: ${error.message}`,
          ),
      });
  const checking = performance.now();
  try {
    if (compiled !== undefined) await checkAnswers(loaded, request.recipe, compiled.answers);
    const checkSeconds = (performance.now() - checking) / 1000;
    await extractor.warmUp(batch);
    return { extractor, versions: engine.versions(), origin: describeOrigin(loaded, compiled && checkSeconds) };
  } catch (error) {
    await extractor.close();
    throw error;
  }
}
