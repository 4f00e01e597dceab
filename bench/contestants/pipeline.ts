// The whole pipeline as a user runs it: `layertap extract`, compiled, as a process of its own, pooled means as Parquet.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Contestant, ContestantOptions } from '../contestant.ts';
import { measureProcess } from '../measure-process.ts';

export const LAYERTAP = fileURLToPath(new URL('../../dist/cli/src/main.js', import.meta.url));

export const Summary = z.looseObject({
  rows: z.number(),
  ok: z.number(),
  imagesPerSecond: z.number(),
  seconds: z.record(z.string(), z.number()),
  versions: z.record(z.string(), z.array(z.string())),
});

export function pipeline(options: ContestantOptions & { readonly extractFlags: readonly string[] }): Contestant {
  const { inputs, folder } = options;
  let runs = 0;
  return {
    name: 'pipeline',
    async run() {
      const out = join(folder, `features-${++runs}`);
      const { wallSeconds, peaks } = await measureProcess({
        command: process.execPath,
        args: [
          ...[LAYERTAP, 'extract', inputs.listFile, '--out', out, '--recipe', inputs.recipeFile],
          ...['--model', inputs.model, '--layer', inputs.layer, '--pool', 'mean', '--format', 'parquet'],
          ...['--batch', String(options.batch), ...options.extractFlags],
        ],
        signal: options.signal,
      });
      const summary = Summary.parse(JSON.parse(await readFile(join(out, 'summary.json'), 'utf8')));
      if (summary.ok !== inputs.images.length) {
        throw new Error(`Expected features of ${inputs.images.length} images but received ${summary.ok}; see ${out}`);
      }
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
