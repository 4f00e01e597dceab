// Works through the cases, one architecture at a time: Keras builds it, each format runs on each engine, its files go.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Machine } from '../bench/machine.ts';
import { type Distance, judge } from '../extractor/src/agreement.ts';
import { enginesFor } from '../extractor/src/engine-choice.ts';
import type { PythonPackages } from '../setup/src/python-packages.ts';
import { describeError, nearestNames, Refusal } from '../shared/src/errors.ts';
import type { EngineName } from '../shared/src/request.ts';
import { type CaseReport, type LayerDistance, runCase } from './case.ts';
import { type ConformanceOptions, FORMATS, type FormatName, type KerasPackage } from './options.ts';
import {
  type BuildOptions,
  buildReference,
  listArchitectures,
  measureFloat64,
  type Reference,
  whyNotCounted,
} from './reference.ts';
import { appendResult, type CaseKey, type CaseResult, keyOf } from './results.ts';

export interface RunOptions {
  readonly options: ConformanceOptions;
  readonly python: PythonPackages;
  readonly photosFile: string;
  readonly resultsFile: string;
  /** Earlier results; filled as cases end. */
  readonly results: Map<string, CaseResult>;
  readonly machine: Machine;
  /** When this call began: what is older is an earlier call's. */
  readonly began: string;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** A difference beyond this is no matter of rounding: float64 need not be asked. */
const ROUNDING_LIMIT = 0.05;

export async function runArchitectures(run: RunOptions): Promise<void> {
  const known = await listArchitectures({ python: run.python, keras: 'keras' });
  for (const keras of ['keras', 'tf_keras'] as const) {
    const formats = run.options.formats.filter(format => FORMATS[format].keras === keras);
    if (formats.length === 0) continue;
    const all = keras === 'keras' ? known : await listArchitectures({ python: run.python, keras });
    for (const architecture of chooseArchitectures(all, known, run.options)) {
      await runArchitecture(run, keras, architecture, formats);
    }
  }
}

function chooseArchitectures(
  all: readonly string[],
  known: readonly string[],
  { only, more }: ConformanceOptions,
): readonly string[] {
  if (only === undefined) return all.filter(name => more || known.includes(name));
  const wrong = only.find(name => !all.includes(name) && !known.includes(name));
  if (wrong === undefined) return only.filter(name => all.includes(name));
  throw new Refusal('bad-option', `Expected an architecture of keras.applications but received '${wrong}'`, {
    hint: `Did you mean ${nearestNames(wrong, all, 3).join(', ')}?`,
  });
}

async function runArchitecture(
  run: RunOptions,
  keras: KerasPackage,
  architecture: string,
  formats: readonly FormatName[],
): Promise<void> {
  run.signal.throwIfAborted();
  const keys = formats
    .flatMap(format =>
      run.options.engines
        .filter(engine => enginesFor(FORMATS[format].suffix === 'h5' ? 'keras-h5' : 'keras').includes(engine))
        .map(engine => ({ architecture, format, engine })),
    )
    .filter(key => isWanted(run, key));
  if (keys.length === 0) return;
  const folder = join(run.options.work, `${keras}-${architecture}`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    const suffixes = [...new Set(keys.map(({ format }) => FORMATS[format].suffix))];
    const { python, photosFile } = run;
    const build: BuildOptions = { python, keras, architecture, photosFile, folder, suffixes };
    const started = performance.now();
    const reference = await buildReference(build);
    run.say(
      `${keras} ${architecture}: reference built, gamma ${reference.gamma}, amplifies ${reference.amplification.toFixed(0)} times (${seconds(started)})`,
    );
    const invalid = whyNotCounted(reference);
    let current = reference;
    for (const key of keys) {
      if (invalid !== undefined) await record(run, key, { status: 'invalid', reason: invalid, layers: [] }, reference);
      else current = await runOne(run, key, build, current);
    }
  } catch (error) {
    run.signal.throwIfAborted();
    const reason = describeError(error).slice(0, 600);
    for (const key of keys) {
      if (isWanted(run, key)) await record(run, key, { status: 'failed', reason, layers: [] }, undefined);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What an earlier call left stands as the options say; what this call did always stands. */
function isWanted({ options, results, began }: RunOptions, key: CaseKey): boolean {
  const earlier = results.get(keyOf(key));
  if (earlier === undefined) return true;
  if (options.earlier === 'keep') return false;
  if (options.earlier === 'retry-failed') return earlier.status !== 'passed' && earlier.date < began;
  return earlier.date < began;
}

type CaseKeyOf = CaseKey & { readonly format: FormatName; readonly engine: EngineName };

/** Gives the reference back, with Keras' own distance from float64 where this case needed it. */
async function runOne(run: RunOptions, key: CaseKeyOf, build: BuildOptions, reference: Reference): Promise<Reference> {
  const started = performance.now();
  const model = join(build.folder, `model.${FORMATS[key.format].suffix}`);
  const task = { model, engine: key.engine, reference: build.folder };
  const report = await runCase(task, run.options.caseTimeoutMs, run.signal);
  let current = reference;
  if (report.outcome === 'compared' && needsFloat64(report, reference)) {
    current = await measureFloat64(build);
  }
  const result = resultOf(report, current);
  await record(run, key, result, reference);
  const worst = Math.max(0, ...result.layers.map(layer => layer.relative ?? Number.POSITIVE_INFINITY));
  const told = result.status === 'passed' ? `passed, ${worst.toExponential(1)}` : `${result.status}: ${result.reason}`;
  run.say(`  ${key.format} on ${key.engine}: ${told} (${seconds(started)})`);
  return current;
}

function needsFloat64(report: CaseReport & { outcome: 'compared' }, reference: Reference): boolean {
  return report.layers.some((layer, index) => {
    const distance = distanceOf(layer);
    return (
      reference.layers[index]?.float64 === undefined && !judge(distance).passed && distance.relative < ROUNDING_LIMIT
    );
  });
}

function distanceOf({ cosine, relative }: LayerDistance): Distance {
  return { cosine, relative: relative ?? Number.POSITIVE_INFINITY };
}

type Outcome = Pick<CaseResult, 'status' | 'reason' | 'layers' | 'seconds'> & {
  readonly versions?: Readonly<Record<string, string>>;
};

function resultOf(report: CaseReport, reference: Reference): Outcome {
  if (report.outcome === 'unclaimed') return { status: 'unclaimed', layers: [] };
  if (report.outcome === 'refused') return { status: 'failed', reason: report.reason, layers: [] };
  const layers = report.layers.map((layer, index) => {
    const own = reference.layers[index]?.float64;
    const { reason } = judge(distanceOf(layer), own);
    return { ...layer, ...(reason === undefined ? {} : { reason }), ...(own === undefined ? {} : { own }) };
  });
  const failed = layers.filter(({ reason }) => reason !== undefined);
  const { seconds: spent, versions } = report;
  if (failed.length === 0) return { status: 'passed', layers, seconds: spent, versions };
  const reason = failed.map(layer => `${layer.name} (${layer.className}): ${layer.reason}`).join('; ');
  return { status: 'failed', reason, layers, seconds: spent, versions };
}

async function record(
  run: RunOptions,
  key: CaseKey,
  outcome: Outcome,
  reference: Reference | undefined,
): Promise<void> {
  const result: CaseResult = {
    ...key,
    ...outcome,
    // The folder is this machine's and is gone by then; what the report needs is the file's name.
    ...(outcome.reason && { reason: outcome.reason.replaceAll(`${run.options.work}/`, '') }),
    ...(reference && {
      parameters: reference.parameters,
      gamma: reference.gamma,
      amplification: reference.amplification,
    }),
    versions: { ...reference?.versions, ...outcome.versions },
    commit: run.machine.commit,
    cpu: run.machine.cpu,
    date: new Date().toISOString(),
  };
  run.results.set(keyOf(key), result);
  await appendResult(run.resultsFile, result);
}

function seconds(started: number): string {
  return `${((performance.now() - started) / 1000).toFixed(0)} s`;
}
