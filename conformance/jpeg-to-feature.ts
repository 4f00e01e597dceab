// From a JPEG to a feature: `layertap certify` on many photos, against the very Python script of docs/certify.md.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { describeFailure, runCommand } from '../setup/src/command.ts';
import type { PythonPackages } from '../setup/src/python-packages.ts';
import { buildReference } from './reference.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const ENLARGER = fileURLToPath(new URL('./enlarge_photos.py', import.meta.url));
const CLI = join(ROOT, 'dist/cli/src/main.js');
export const CERTIFY_GUIDE = join(ROOT, 'docs/certify.md');

const ARCHITECTURE = 'MobileNetV2';
const LAYER = 'global_average_pooling2d';
/** What the script does: squash with Pillow's bilinear filter, x / 127.5 - 1. */
const RECIPE = { width: 224, height: 224, resize: 'pillow:bilinear', scale: 1 / 127.5, mean: [1] };
export const JPEG_THRESHOLD = 0.99999;

const Spread = z.object({ worst: z.number(), p1: z.number(), median: z.number() });
const Verdict = z.object({
  passed: z.boolean(),
  reasons: z.array(z.string()),
  engine: z.string(),
  compared: z.number(),
  cosine: Spread,
  maxAbsDifference: Spread,
  scale: z.number(),
  worst: z.array(z.object({ sampleId: z.string(), cosine: z.number() })),
});

export const JpegResult = z.object({
  architecture: z.string(),
  layer: z.string(),
  date: z.string(),
  /** The photos as they are, and enlarged. */
  sets: z.array(z.object({ photos: z.string(), exact: Verdict, fast: Verdict })),
});
export type JpegResult = z.output<typeof JpegResult>;

export interface JpegOptions {
  readonly python: PythonPackages;
  readonly photosFile: string;
  /** What the photos are. */
  readonly name: string;
  readonly files: readonly string[];
  readonly work: string;
}

export async function compareJpegs(options: JpegOptions): Promise<JpegResult> {
  const { python, photosFile, files, work } = options;
  const folder = join(work, 'jpeg-to-feature');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    const build = {
      python,
      keras: 'keras',
      architecture: ARCHITECTURE,
      photosFile,
      folder,
      suffixes: ['keras'],
    } as const;
    await buildReference(build);
    const script = join(folder, 'make_reference.py');
    await writeFile(script, await referenceScript());
    const compare = async (photos: string, list: readonly string[]): Promise<JpegResult['sets'][number]> => {
      const listFile = join(folder, 'features.txt');
      await writeFile(listFile, `${list.join('\n')}\n`);
      await runPython(python, [script, join(folder, 'model.keras'), LAYER, listFile, join(folder, 'features.npy')]);
      return { photos, exact: await certify(folder, 'exact'), fast: await certify(folder, 'fast') };
    };
    return {
      architecture: ARCHITECTURE,
      layer: LAYER,
      date: new Date().toISOString(),
      sets: [
        await compare(`${files.length} ${options.name}`, files),
        await compare('the same, three times as wide and high', await enlarge(python, files, folder)),
      ],
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function enlarge(python: PythonPackages, files: readonly string[], folder: string): Promise<readonly string[]> {
  const target = join(folder, 'enlarged');
  await mkdir(target);
  const list = join(folder, 'originals.txt');
  await writeFile(list, files.join('\n'));
  return (await runPython(python, [ENLARGER, list, target])).trim().split('\n');
}

/** @returns what it printed */
async function runPython(python: PythonPackages, args: readonly string[]): Promise<string> {
  const env = { PYTHONPATH: python.pythonPath, PYTHONNOUSERSITE: '1', TF_CPP_MIN_LOG_LEVEL: '3' };
  const result = await runCommand(python.python, [...args], { env });
  if (!result.ok) throw new Error(describeFailure(args[0] ?? 'python', result));
  return result.stdout;
}

/** The fenced Python of docs/certify.md, as users paste it. */
export async function referenceScript(): Promise<string> {
  const script = /```python\n([\s\S]*?)```/.exec(await readFile(CERTIFY_GUIDE, 'utf8'))?.[1];
  if (script === undefined) throw new Error(`Expected a Python script in ${CERTIFY_GUIDE}`);
  return script;
}

async function certify(folder: string, quality: 'exact' | 'fast'): Promise<z.output<typeof Verdict>> {
  const recipe = join(folder, `${quality}.json`);
  const out = join(folder, `${quality}.verdict.json`);
  await writeFile(recipe, JSON.stringify({ ...RECIPE, quality }));
  const result = await runCommand(process.execPath, [
    ...[CLI, 'certify', '--model', join(folder, 'model.keras'), '--layer', LAYER],
    ...['--reference', join(folder, 'features.npy'), '--recipe', recipe, '--threshold', String(JPEG_THRESHOLD)],
    ...['--out', out, '--json'],
  ]);
  // Status 1 is a verdict too.
  const text = await readFile(out, 'utf8').catch(() => undefined);
  if (text === undefined) throw new Error(describeFailure('layertap certify', result));
  return Verdict.parse(JSON.parse(text));
}
