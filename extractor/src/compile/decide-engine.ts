// The engine of a run whose user left the choice to us: compiled where that gives the reference engine's own numbers, faster.
// Decided once per model, layers, machine and versions, in a child process; kept in the cache.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { publishFile } from '../../../setup/src/cache.ts';
import { madeFolders, makeRoom, writableCache } from '../../../setup/src/made-cache.ts';
import { tensorFlowStatus } from '../../../setup/src/tensorflow-library.ts';
import { CompiledRecord } from '../../../shared/src/compiled-record.ts';
import { compiledUrl } from '../../../shared/src/compiled-url.ts';
import { Refusal, type RefusalCode } from '../../../shared/src/errors.ts';
import { canonicalJson } from '../../../shared/src/fingerprint.ts';
import { usableProcessors } from '../../../shared/src/processors.ts';
import { Recipe } from '../../../shared/src/recipe.ts';
import { shapeOfRecipe } from '../../../shared/src/recipe-shape.ts';
import { ENGINE_NAMES, type EngineName } from '../../../shared/src/request.ts';
import { commonVersions } from '../../../shared/src/versions.ts';
import { chooseEngine, type EngineChoice, isCompiled } from '../engine-choice.ts';
import type { ModelFile } from '../model.ts';
import { askProbe } from '../probe.ts';
import { CannotCompile } from './cannot-compile.ts';
import { compiledModel } from './compiled-model.ts';
import { LOWERING } from './lowering-version.ts';
import { pruneCompiled } from './prune-compiled.ts';
import { slowerThanCompiled } from './slower-engine.ts';

export interface DecisionOptions {
  readonly layers: readonly string[];
  /** Gives the size of the images, and the range of their values. */
  readonly recipe: Recipe;
  /** Images per inference. */
  readonly batch: number;
  /** Told before a comparison, which takes seconds to minutes. */
  readonly onCompare?: ((reference: EngineName) => void) | undefined;
  /** Ends the comparison with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What the child is asked. */
export interface DecisionQuestion extends Omit<DecisionOptions, 'onCompare' | 'signal'> {
  readonly model: string;
  readonly sha256: string;
  /** Undefined where it failed before: the compiled model answers for itself. */
  readonly reference: EngineName | undefined;
  /** Of `onnx` the model is taken whatever the comparison says. */
  readonly wanted: 'auto' | 'onnx';
  readonly compiled: Omit<CompiledRecord, 'answers'>;
}

interface Engines extends Pick<DecisionQuestion, 'wanted'> {
  readonly reference: EngineName;
}

const Decision = z.object({
  engine: z.enum(ENGINE_NAMES),
  reason: z.string(),
  compiled: CompiledRecord.optional(),
  warning: z.string().optional(),
});
export type Decision = z.output<typeof Decision>;

const require = createRequire(import.meta.url);
/** Refusals that are no verdict on the model. */
const ENDING: ReadonlySet<RefusalCode> = new Set<RefusalCode>(['cache-unwritable', 'interrupted']);
const TIMEOUT_MS = 30 * 60_000;
/** Folder of decisions in the cache. */
const ROOM = 'decisions';
/** Of all decisions together, at up to a megabyte each. */
const MOST_BYTES = 1e9;
const KEEP_MS = 24 * 3_600_000;

/**
 * The engine for a run. A model that ONNX Runtime may run compiled is tried there against its reference engine.
 * @throws Refusal `bad-option` where the wanted engine cannot run the format, `engine-unavailable` where it is unavailable or, asked
 * for by name, cannot run the model compiled
 */
export async function decideEngine(
  wanted: 'auto' | EngineName,
  model: Pick<ModelFile, 'format' | 'path' | 'sha256'>,
  options: DecisionOptions,
): Promise<EngineChoice> {
  const choice = await chooseEngine(wanted, model);
  if (!isCompiled(model.format) || (wanted !== 'auto' && wanted !== 'onnx')) return choice;
  const { engine: reference, reason } = await chooseEngine('auto', model);
  const decision = await compareEngines({ wanted, reference }, model, options).catch((error: unknown): EngineChoice => {
    // No verdict is no reason to end a run: what is wrong with the model is told by the engine that runs it.
    if (!(error instanceof Refusal) || ENDING.has(error.code) || wanted === 'onnx') throw error;
    const problem = `The compiled model could not be compared with ${reference}: ${error.message}.`;
    return { engine: reference, reason: `${reason} ${problem}`, warning: slowerThanCompiled(reference, problem) };
  });
  if (wanted === 'onnx' && decision.engine !== 'onnx') throw notCompiled(decision.reason);
  return decision.engine === 'onnx' ? { ...decision, lowering: LOWERING } : decision;
}

function notCompiled(reason: string): Refusal {
  return new Refusal('engine-unavailable', `Expected a model that can run compiled on \`onnx\`. ${reason}`, {
    hint: 'Take `--engine auto`, which takes the fastest engine that can run it.',
  });
}

async function compareEngines(
  { wanted, reference }: Engines,
  model: Pick<ModelFile, 'path' | 'sha256'>,
  options: DecisionOptions,
): Promise<Decision> {
  const { layers, batch, signal } = options;
  // How images are decoded and resized makes no difference to an engine: what was decided holds for all such recipes.
  const { width, height, channels, scale, mean, std } = options.recipe;
  const recipe = Recipe.parse({ width, height, channels, scale, mean, std });
  const question = { layers, recipe, batch, reference, wanted, sha256: model.sha256 };
  const name = `${keyOf(question)}.json`;
  for (const cache of madeFolders(ROOM)) {
    const known = await readDecision(join(cache, ROOM, name));
    if (known !== undefined) return { ...known, reason: `${known.reason} (decided before)` };
  }
  options.onCompare?.(reference);
  const decision = await decide({ ...question, model: model.path }, reference, signal);
  // A decision that cannot be kept is made again.
  await keepDecision(await writableCache(), name, decision).catch(() => undefined);
  return decision;
}

async function decide(
  question: Omit<DecisionQuestion, 'compiled'>,
  reference: EngineName,
  signal: AbortSignal | undefined,
): Promise<Decision> {
  let compiled: DecisionQuestion['compiled'];
  try {
    const inputShape = shapeOfRecipe(question.recipe);
    const { sha256, bytes, winograd } = await compiledModel({ ...question, inputShape, signal });
    compiled = { sha256, bytes, winograd };
  } catch (error) {
    if (!(error instanceof CannotCompile)) throw error;
    const reason = `The model cannot be compiled: ${error.message}.`;
    return { engine: reference, reason, warning: slowerThanCompiled(reference, reason) };
  }
  try {
    return await askChild({ ...question, compiled }, signal);
  } catch (error) {
    // It was asked for, and needs no reference.
    if (question.wanted !== 'onnx' || !(error instanceof Refusal) || ENDING.has(error.code)) throw error;
    const decision = await askChild({ ...question, compiled, reference: undefined }, signal);
    const warning = `The compiled model could not be compared with ${reference}: ${error.message}.`;
    return { ...decision, warning };
  }
}

async function askChild(question: DecisionQuestion, signal: AbortSignal | undefined): Promise<Decision> {
  const script = compiledUrl('./decide-process.ts', import.meta.url);
  const runtime = 'the comparison of engines';
  return Decision.parse(await askProbe({ script, question, runtime, timeoutMs: TIMEOUT_MS, signal }));
}

async function keepDecision(cache: string, name: string, decision: Decision): Promise<void> {
  const folder = await makeRoom(cache, ROOM);
  await publishFile(join(folder, name), `${JSON.stringify(decision)}\n`);
  await pruneCompiled(folder, { maxBytes: MOST_BYTES, keepMs: KEEP_MS });
}

/** Another machine, another library or another model may decide otherwise. */
function keyOf(question: Omit<DecisionQuestion, 'compiled' | 'model'>): string {
  const machine = { cpu: cpus()[0]?.model, cores: usableProcessors() };
  const deciding = { ...question, ...machine, lowering: LOWERING, versions: versions() };
  return createHash('sha256').update(canonicalJson(deciding)).digest('hex').slice(0, 32);
}

/** Of all that runs in the comparison; read from their packages, so that nothing is loaded here. */
function versions(): Readonly<Record<string, string>> {
  const status = tensorFlowStatus();
  const packages = Object.fromEntries(
    ['onnxruntime-node', '@tensorflow/tfjs'].map(name => [name, require(`${name}/package.json`).version as string]),
  );
  return { ...commonVersions(), ...packages, ...(status.available && { tensorflow: status.version }) };
}

/** A damaged one, or one of another version, counts as none. */
async function readDecision(file: string): Promise<Decision | undefined> {
  try {
    return Decision.safeParse(JSON.parse(await readFile(file, 'utf8'))).data;
  } catch {
    return undefined;
  }
}
