// The engine of a run whose user left the choice to us: compiled where that gives the reference engine's own numbers, faster.
// Decided once per model, layers, machine and versions, in a child process; kept in the cache.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { publishFile } from '../../../setup/src/cache.ts';
import { setupConfig } from '../../../setup/src/config.ts';
import { tensorFlowStatus } from '../../../setup/src/tensorflow-library.ts';
import { compiledUrl } from '../../../shared/src/compiled-url.ts';
import { hasErrorCode, Refusal } from '../../../shared/src/errors.ts';
import { canonicalJson } from '../../../shared/src/fingerprint.ts';
import { Recipe } from '../../../shared/src/recipe.ts';
import { ENGINE_NAMES, type EngineName } from '../../../shared/src/request.ts';
import { commonVersions } from '../../../shared/src/versions.ts';
import { chooseEngine, type EngineChoice, isCompiled } from '../engine-choice.ts';
import type { ModelFile } from '../model.ts';
import { askProbe } from '../probe.ts';
import { LOWERING } from './lowering-version.ts';

export interface DecisionOptions {
  readonly layers: readonly string[];
  /** Gives the size of the images, and the range of their values. */
  readonly recipe: Recipe;
  /** Images per inference. */
  readonly batch: number;
  /** Told before a comparison, which takes seconds to minutes. */
  readonly onCompare?: ((reference: EngineName) => void) | undefined;
}

/** What the child is asked. */
export interface DecisionQuestion extends Omit<DecisionOptions, 'onCompare'> {
  readonly model: string;
  readonly sha256: string;
  readonly reference: EngineName;
}

const Decision = z.object({ engine: z.enum(ENGINE_NAMES), reason: z.string() });
export type Decision = z.output<typeof Decision>;

const require = createRequire(import.meta.url);
const TIMEOUT_MS = 30 * 60_000;

/**
 * The engine for a run. A model that ONNX Runtime may run compiled is tried there against its reference engine.
 * @throws Refusal `bad-option` where the wanted engine cannot run the format, `engine-unavailable` where it can't be had
 */
export async function decideEngine(
  wanted: 'auto' | EngineName,
  model: Pick<ModelFile, 'format' | 'path' | 'sha256'>,
  options: DecisionOptions,
): Promise<EngineChoice> {
  const choice = await chooseEngine(wanted, model);
  if (!isCompiled(model.format) || (wanted !== 'auto' && wanted !== 'onnx')) return choice;
  return withLowering(wanted === 'onnx' ? choice : await compareEngines(choice, model, options));
}

function withLowering(choice: EngineChoice): EngineChoice {
  return choice.engine === 'onnx' ? { ...choice, lowering: LOWERING } : choice;
}

async function compareEngines(
  choice: EngineChoice,
  model: Pick<ModelFile, 'path' | 'sha256'>,
  options: DecisionOptions,
): Promise<EngineChoice> {
  const { layers, batch } = options;
  const reference = choice.engine;
  // How images are decoded and resized makes no difference to an engine: what was decided holds for all such recipes.
  const { width, height, channels, scale, mean, std } = options.recipe;
  const recipe = Recipe.parse({ width, height, channels, scale, mean, std });
  const question: DecisionQuestion = {
    ...{ layers, recipe, batch, reference },
    model: model.path,
    sha256: model.sha256,
  };
  const file = join(setupConfig().cacheRoot, 'decisions', `${keyOf(question)}.json`);
  const known = await readDecision(file);
  if (known !== undefined) return { ...known, reason: `${known.reason} (decided before)` };
  options.onCompare?.(reference);
  const script = compiledUrl('./decide-process.ts', import.meta.url);
  try {
    const probe = { script, question, runtime: 'the comparison of engines', timeoutMs: TIMEOUT_MS };
    const decision = await askProbe<Decision>(probe);
    await publishFile(file, `${JSON.stringify(decision)}\n`);
    return decision;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    // No verdict is no reason to end a run: what is wrong with the model is told by the engine that runs it.
    return { engine: reference, reason: `${choice.reason} It could not be compared with onnx: ${error.message}` };
  }
}

/** Another machine, another library or another model may decide otherwise; the folder that the model lies in doesn't count. */
function keyOf({ model: _, ...question }: DecisionQuestion): string {
  const machine = { cpu: cpus()[0]?.model, cores: availableParallelism() };
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

async function readDecision(file: string): Promise<Decision | undefined> {
  try {
    return Decision.safeParse(JSON.parse(await readFile(file, 'utf8'))).data;
  } catch (error) {
    if (error instanceof SyntaxError || hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
