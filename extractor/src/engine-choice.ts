// The engine of a run: chosen once from the model's format and what this machine has, with the reason to show.
import { tensorFlowStatus } from '../../setup/src/tensorflow-library.ts';
import type { CompiledRecord } from '../../shared/src/compiled-record.ts';
import { Refusal } from '../../shared/src/errors.ts';
import type { EngineName } from '../../shared/src/request.ts';
import type { ModelFile, ModelFormat } from './model.ts';

export interface EngineChoice {
  readonly engine: EngineName;
  /** Of a model that is compiled for the engine: the version of its lowering. */
  readonly lowering?: number | undefined;
  /** Of such a model: the file, and what it must answer. */
  readonly compiled?: CompiledRecord | undefined;
  /** For people: a slower engine than the model might have, with how much slower, why, and what to do; or other numbers. */
  readonly warning?: string | undefined;
  /** One sentence for people. */
  readonly reason: string;
}

/** The engines that take a format, the preferred one first. */
const ENGINES_OF: Readonly<Record<ModelFormat, readonly [EngineName, ...EngineName[]]>> = {
  keras: ['tensorflow', 'wasm', 'onnx'],
  'keras-h5': ['tensorflow', 'wasm', 'onnx'],
  'tfjs-layers': ['tensorflow', 'wasm', 'onnx'],
  'tfjs-graph': ['tensorflow', 'wasm', 'onnx'],
  'saved-model': ['tensorflow'],
  onnx: ['onnx'],
  null: ['null'],
};

/** The engines that can run models of a format, the preferred one first. */
export function enginesFor(format: ModelFormat): readonly EngineName[] {
  return ENGINES_OF[format];
}

/** Whether ONNX Runtime runs it only after it was compiled. */
export function isCompiled(format: ModelFormat): boolean {
  return format !== 'onnx' && enginesFor(format).includes('onnx');
}

/**
 * Chooses the engine for a model. Looks at what is prepared, loads nothing: the process that asks may be the light
 * parent of those that compute.
 * @throws Refusal `bad-option` where the wanted engine cannot run the format, `engine-unavailable` where it can't be had
 */
export async function chooseEngine(
  wanted: 'auto' | EngineName,
  model: Pick<ModelFile, 'format'>,
): Promise<EngineChoice> {
  const fitting = ENGINES_OF[model.format];
  if (wanted === 'auto') return chooseFor(model.format, fitting[0]);
  if (!fitting.includes(wanted)) {
    throw new Refusal(
      'bad-option',
      `Expected an engine that runs ${model.format} models for \`engine\` but received '${wanted}'`,
      {
        hint: `The engines for ${model.format} models are: ${['auto', ...fitting].join(', ')}.`,
      },
    );
  }
  if (wanted === 'tensorflow') requireTensorFlow(fitting);
  return { engine: wanted, reason: 'It was asked for.' };
}

function chooseFor(format: ModelFormat, preferred: EngineName): EngineChoice {
  if (preferred !== 'tensorflow') return { engine: preferred, reason: `It runs ${format} models.` };
  const status = tensorFlowStatus();
  if (status.available) return { engine: 'tensorflow', reason: `TensorFlow ${status.version} is ready.` };
  if (!ENGINES_OF[format].includes('wasm')) requireTensorFlow(ENGINES_OF[format]);
  return { engine: 'wasm', reason: `TensorFlow is unavailable: ${status.reason}` };
}

function requireTensorFlow(fitting: readonly EngineName[]): void {
  const status = tensorFlowStatus();
  if (status.available) return;
  throw new Refusal('engine-unavailable', `Expected the engine \`tensorflow\` but it cannot be had: ${status.reason}`, {
    hint: `Run \`npx layertap setup\` to prepare TensorFlow${fitting.includes('wasm') ? ', or take `--engine wasm`, which is slower' : ''}.`,
  });
}
