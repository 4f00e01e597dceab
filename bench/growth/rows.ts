// One run of so many rows, with real images or with none: time per row and memory. For main.ts.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { folderBytes } from '../../setup/src/cache.ts';
import { LAYERTAP } from '../contestants/pipeline.ts';
import { prepareInputs } from '../inputs.ts';
import { measureProcess } from '../measure-process.ts';
import { nullRequest } from '../null-list.ts';
import { spreadOf } from '../statistics.ts';

export interface RowsOptions {
  readonly kind: 'null' | 'images';
  readonly rows: number;
  readonly rounds: number;
  readonly folder: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface RowsGrowth {
  readonly kind: 'null' | 'images';
  readonly rows: number;
  readonly shards: number;
  /** Milliseconds of work per row, from the first shard's begin to the last one's end; median of the rounds. */
  readonly perRow: number;
  /** Milliseconds per row before the first shard and after the last one: start, list, manifest, summary; median. */
  readonly aroundPerRow: number;
  /** Peak resident bytes of the largest round. */
  readonly parentBytes: number;
  readonly engineBytes: number;
  /** Of the manifest, per row. */
  readonly manifestBytes: number;
}

const Summary = z.looseObject({ shards: z.number(), imagesPerSecond: z.number(), wallSeconds: z.number() });
const SHARD_SIZE = 500;

export async function measureRows(options: RowsOptions): Promise<RowsGrowth> {
  const { kind, rows, rounds, folder, say, signal } = options;
  const request =
    kind === 'null' ? await nullRequest(join(folder, `null-${rows}.txt`), rows) : await imageRequest(rows, folder);
  const perRow: number[] = [];
  const aroundPerRow: number[] = [];
  let [parentBytes, engineBytes, manifestBytes, shards] = [0, 0, 0, 0];
  for (let round = 0; round < rounds; round++) {
    const out = join(folder, `growth-${kind}-${rows}-${round}`);
    const { peaks, wallSeconds } = await measureProcess({
      command: process.execPath,
      args: [LAYERTAP, 'extract', ...request, '--out', out, '--shard-size', String(SHARD_SIZE), '--processes', '2'],
      signal,
    });
    const summary = Summary.parse(JSON.parse(await readFile(join(out, 'summary.json'), 'utf8')));
    shards = summary.shards;
    perRow.push(1000 / summary.imagesPerSecond);
    aroundPerRow.push((1000 * (wallSeconds - summary.wallSeconds)) / rows);
    parentBytes = Math.max(parentBytes, ...peaks.filter(({ depth }) => depth === 0).map(({ bytes }) => bytes));
    engineBytes = Math.max(engineBytes, ...peaks.filter(({ depth }) => depth === 1).map(({ bytes }) => bytes));
    manifestBytes = (await folderBytes(join(out, 'manifest'))) / rows;
    await rm(out, { recursive: true });
    say(`${rows} rows (${kind}), round ${round + 1} of ${rounds}: ${perRow.at(-1)?.toFixed(3)} ms a row`);
  }
  const medianOf = (values: readonly number[]): number => spreadOf(values)?.median ?? Number.NaN;
  return {
    ...{ kind, rows, shards, parentBytes, engineBytes, manifestBytes },
    perRow: medianOf(perRow),
    aroundPerRow: medianOf(aroundPerRow),
  };
}

async function imageRequest(rows: number, folder: string): Promise<readonly string[]> {
  const { listFile, model, layer, recipeFile } = await prepareInputs(folder, rows);
  return [listFile, '--model', model, '--layer', layer, '--pool', 'mean', '--recipe', recipeFile];
}
