// The whole pipeline as a user runs it: `layertap extract`, compiled, as a process of its own, pooled means as Parquet.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Contestant, ContestantOptions } from '../contestant.ts';
import { measureProcess } from '../measure-process.ts';

export const LAYERTAP = fileURLToPath(new URL('../../dist/cli/src/main.js', import.meta.url));

const Summary = z.looseObject({
  rows: z.number(),
  ok: z.number(),
  imagesPerSecond: z.number(),
  seconds: z.record(z.string(), z.number()),
  versions: z.record(z.string(), z.array(z.string())),
});

/** The arguments of `extract` and `enqueue`: pooled means as Parquet. */
export function requestOf({ inputs, batch }: ContestantOptions, out: string): readonly string[] {
  return [
    ...[inputs.listFile, '--out', out, '--recipe', inputs.recipeFile, '--batch', String(batch)],
    ...['--model', inputs.model, '--layer', inputs.layer, '--pool', 'mean', '--format', 'parquet'],
  ];
}

/** @throws where not every image has features */
export async function readSummary(out: string, images: number): Promise<z.output<typeof Summary>> {
  const summary = Summary.parse(JSON.parse(await readFile(join(out, 'summary.json'), 'utf8')));
  if (summary.ok === images) return summary;
  throw new Error(`Expected features of ${images} images but received ${summary.ok}; see ${out}`);
}

export function pipeline(options: ContestantOptions & { readonly extractFlags: readonly string[] }): Contestant {
  const { inputs, folder } = options;
  let runs = 0;
  return {
    name: 'pipeline',
    async run() {
      const out = join(folder, `features-${++runs}`);
      const { wallSeconds, peaks } = await measureProcess({
        command: process.execPath,
        args: [LAYERTAP, 'extract', ...requestOf(options, out), ...options.extractFlags],
        signal: options.signal,
      });
      const summary = await readSummary(out, inputs.images.length);
      return {
        steady: summary.imagesPerSecond,
        whole: summary.rows / wallSeconds,
        peaks,
        stages: summary.seconds,
        versions: Object.fromEntries(Object.entries(summary.versions).map(([name, list]) => [name, list.join(', ')])),
      };
    },
  };
}
