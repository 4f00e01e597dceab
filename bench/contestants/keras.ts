// The peer: a plain Keras script with tf.data, on the same images and the same network, rebuilt in Keras from the tfjs model.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { PythonPackages } from '../../setup/src/python-packages.ts';
import type { Contestant, ContestantOptions } from '../contestant.ts';
import { lastLine, type MeasuredProcess, measureProcess } from '../measure-process.ts';

export interface KerasOptions extends ContestantOptions {
  readonly python: PythonPackages;
}

const Likeness = z.object({
  rows: z.number(),
  minimumCosine: z.number(),
  maximumDifference: z.number(),
  /** Largest absolute value of the engine's features. */
  scale: z.number(),
});
/** How alike the features of both sides are on one batch of the same pixels. */
export type Likeness = z.output<typeof Likeness>;

const Result = z.object({ rows: z.number(), againSeconds: z.number(), versions: z.record(z.string(), z.string()) });

/** @param probe folder with the engine's first batch and its features */
export async function convertToKeras(options: KerasOptions, probe: string): Promise<Likeness> {
  const { inputs } = options;
  const { stdout } = await runPython(options, 'tfjs_to_keras.py', [
    ...['--model', inputs.model, '--layer', inputs.layer, '--out', modelFile(options), '--probe', probe],
  ]);
  return Likeness.parse(lastLine(stdout));
}

export function keras(options: KerasOptions): Contestant {
  const { inputs, folder, batch } = options;
  return {
    name: 'Keras with tf.data',
    async run() {
      const { stdout, wallSeconds, peaks } = await runPython(options, 'keras_script.py', [
        ...['--model', modelFile(options), '--layer', inputs.layer, '--paths', inputs.pathsFile],
        ...['--recipe', inputs.recipeFile, '--batch', String(batch), '--out', join(folder, 'keras.npy'), '--again'],
      ]);
      const { rows, againSeconds, versions } = Result.parse(lastLine(stdout));
      return { steady: rows / againSeconds, whole: rows / (wallSeconds - againSeconds), peaks, versions };
    },
  };
}

function modelFile({ folder }: KerasOptions): string {
  return join(folder, 'model.keras');
}

function runPython(options: KerasOptions, script: string, args: readonly string[]): Promise<MeasuredProcess> {
  const { python, signal } = options;
  return measureProcess({
    command: python.python,
    args: [fileURLToPath(new URL(`../${script}`, import.meta.url)), ...args],
    env: { PYTHONPATH: python.pythonPath, PYTHONNOUSERSITE: '1', TF_CPP_MIN_LOG_LEVEL: '3' },
    signal,
  });
}
