// The engine alone: a process that runs ready batches through the extractor, without reading, decoding or writing.
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { EngineName } from '../../shared/src/request.ts';
import type { Contestant, ContestantOptions } from '../contestant.ts';
import { lastLine, type MeasuredProcess, measureProcess } from '../measure-process.ts';
import type { EngineRunOptions } from './engine-run.ts';

const SCRIPT = fileURLToPath(new URL('./engine-run.ts', import.meta.url));

const Result = z.object({
  images: z.number(),
  seconds: z.number(),
  versions: z.record(z.string(), z.string()),
});

export interface EngineAloneOptions extends ContestantOptions {
  readonly engine: EngineName;
}

export function engineAlone(options: EngineAloneOptions): Contestant {
  const batches = Math.ceil(options.inputs.images.length / options.batch);
  return {
    name: `engine alone (${options.engine})`,
    async run() {
      const { stdout, peaks } = await startEngine(options, { batches });
      const { images, seconds, versions } = Result.parse(lastLine(stdout));
      // Most of its life the process loads what the other contestants load too, and decodes what it is then given.
      // Its only child is the compiler of TypeScript.
      return { steady: images / seconds, whole: null, peaks: peaks.filter(({ depth }) => depth === 0), versions };
    },
  };
}

/** Writes the first batch and its pooled features into a folder, for the comparison with Keras. */
export async function writeProbe(options: EngineAloneOptions, probe: string): Promise<void> {
  await startEngine(options, { batches: 1, probe });
}

function startEngine(
  options: EngineAloneOptions,
  work: { readonly batches: number; readonly probe?: string },
): Promise<MeasuredProcess> {
  const { inputs, engine, batch } = options;
  const { model, layer, recipe, images } = inputs;
  const task: EngineRunOptions = { model, layer, recipe, engine, batch, images, ...work };
  return measureProcess({
    command: process.execPath,
    args: ['--import', 'tsx', SCRIPT, JSON.stringify({ ...task, images: images.slice(0, READY_BATCHES * batch) })],
    env: { TF_CPP_MIN_LOG_LEVEL: '3' },
    signal: options.signal,
  });
}

/** Different batches that are held ready and taken in turn. */
const READY_BATCHES = 4;
