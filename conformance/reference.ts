// Real Keras builds an architecture and gives its own outputs: starts the Python builder and reads what it wrote.
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { describeFailure, runCommand } from '../setup/src/command.ts';
import type { PythonPackages } from '../setup/src/python-packages.ts';
import type { KerasPackage } from './options.ts';

/** Two photos that are more alike than this in every pair tell nothing: a layer that ignores the image would pass. */
export const LARGEST_PHOTO_COSINE = 0.97;
const BUILDER = fileURLToPath(new URL('./build_reference.py', import.meta.url));
/** The largest architectures take a few minutes each on two cores. */
const BUILD_TIMEOUT_MS = 3_600_000;

const Distance = z.object({ relative: z.number(), cosine: z.number() });

const ReferenceLayer = z.object({
  name: z.string(),
  className: z.string(),
  /** .npy in the reference's folder. */
  file: z.string(),
  finite: z.boolean(),
  /** Of all pairs of photos. */
  leastCosine: z.number(),
  /** How far Keras' own float32 lies from float64, once that was asked for. */
  float64: Distance.optional(),
});
export type ReferenceLayer = z.output<typeof ReferenceLayer>;

export const Reference = z.object({
  architecture: z.string(),
  keras: z.string(),
  parameters: z.number(),
  /** Mean gamma of its batch normalisations: the largest with which it does not amplify rounding. */
  gamma: z.number(),
  /** How much further a compared layer moves than the input, relative to their largest values. */
  amplification: z.number(),
  inputShape: z.array(z.number()),
  layers: z.array(ReferenceLayer),
  versions: z.record(z.string(), z.string()),
});
export type Reference = z.output<typeof Reference>;

export interface ReferenceOptions {
  readonly python: PythonPackages;
  readonly keras: KerasPackage;
}

/** All architectures of a Keras, from the module itself. */
export async function listArchitectures(options: ReferenceOptions): Promise<readonly string[]> {
  return z.array(z.string()).parse(await runBuilder(options, ['--list']));
}

export interface BuildOptions extends ReferenceOptions {
  readonly architecture: string;
  /** JSON list of 12 image files. */
  readonly photosFile: string;
  /** Existing folder for model files and arrays. */
  readonly folder: string;
  readonly suffixes: readonly string[];
}

export async function buildReference(options: BuildOptions): Promise<Reference> {
  const { architecture, photosFile, folder, suffixes } = options;
  const args = ['--architecture', architecture, '--photos', photosFile, '--out', folder];
  return Reference.parse(await runBuilder(options, [...args, '--formats', suffixes.join(',')]));
}

/** Adds Keras' own distance from float64 to a reference: only cases outside the plain bounds need it. */
export async function measureFloat64(options: BuildOptions): Promise<Reference> {
  const { architecture, folder } = options;
  return Reference.parse(await runBuilder(options, ['--architecture', architecture, '--out', folder, '--float64']));
}

/** Why a comparison with this reference would prove nothing; undefined where it counts. */
export function whyNotCounted(reference: Reference): string | undefined {
  const infinite = reference.layers.find(layer => !layer.finite);
  if (infinite !== undefined) return `the reference of ${infinite.name} is not finite`;
  const blind = reference.layers.find(layer => !(layer.leastCosine < LARGEST_PHOTO_COSINE));
  if (blind === undefined) return undefined;
  return `${blind.name} gives all photos nearly the same (cosine ${blind.leastCosine.toFixed(4)})`;
}

async function runBuilder(options: ReferenceOptions, args: readonly string[]): Promise<unknown> {
  const { python, keras } = options;
  const result = await runCommand(python.python, [BUILDER, '--keras', keras, ...args], {
    timeoutMs: BUILD_TIMEOUT_MS,
    env: {
      PYTHONPATH: python.pythonPath,
      PYTHONNOUSERSITE: '1',
      PYTHONDONTWRITEBYTECODE: '1',
      TF_CPP_MIN_LOG_LEVEL: '3',
    },
  });
  if (!result.ok) {
    throw new Error(`${describeFailure('build_reference.py', result)}\n${result.stderr.slice(-2000)}`);
  }
  return JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '');
}
