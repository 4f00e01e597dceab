// What an image costs in processor time, stage by stage, each stage alone at its cheapest setting: the bound of a pipeline.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { NATIVE_ENVIRONMENT, NODE_FLAGS } from '../services/worker/src/engine-process-options.ts';
import type { ContestantOptions } from './contestant.ts';
import { requestOf } from './contestants/pipeline.ts';
import { lastLine, measureProcess } from './measure-process.ts';

const SCRIPT = fileURLToPath(new URL('./stage-costs-run.ts', import.meta.url));

/** Seconds of processor time per image. */
const StageCosts = z.object({ decode: z.number(), infer: z.number(), serialize: z.number() });
export type StageCosts = z.output<typeof StageCosts>;

/**
 * Images per second that no pipeline of these stages can exceed on so many processors: all of them busy all the time, with
 * nothing but the stages.
 */
export function boundOf({ decode, infer, serialize }: StageCosts, processors: number): number {
  return processors / (decode + infer + serialize);
}

export function meanCosts(before: StageCosts, after: StageCosts): StageCosts {
  const mean = (stage: keyof StageCosts): number => (before[stage] + after[stage]) / 2;
  return { decode: mean('decode'), infer: mean('infer'), serialize: mean('serialize') };
}

/** A pipeline that is faster than its bound by more than this was measured wrongly, or the bound was. */
export const LARGEST_EFFICIENCY = 1.02;

/** An image's cost doesn't change with their number, and a bound is best measured next to what it bounds. */
const MOST_IMAGES = 3000;

let runs = 0;

/** @param options.engine what `auto` has decided, so that it is not decided again */
export async function measureStageCosts(options: ContestantOptions & { readonly engine: string }): Promise<StageCosts> {
  const { folder, engine, signal } = options;
  const out = join(folder, `costs-${++runs}`);
  const { stdout } = await measureProcess({
    command: process.execPath,
    args: [
      ...[...NODE_FLAGS, '--import', 'tsx', SCRIPT, ...requestOf(options, out)],
      ...['--engine', engine, '--limit', String(MOST_IMAGES)],
    ],
    // One thread decodes, one infers: what several would wait for each other is no cost of a stage.
    env: {
      ...NATIVE_ENVIRONMENT,
      UV_THREADPOOL_SIZE: '1',
      TF_NUM_INTRAOP_THREADS: '1',
      TF_NUM_INTEROP_THREADS: '1',
    },
    signal,
  });
  return StageCosts.parse(lastLine(stdout));
}
