// The flow alone: a generated list through the null engine, which reads no image and computes nothing.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { LAYERTAP } from './contestants/pipeline.ts';
import { measureProcess, type ProcessPeak } from './measure-process.ts';
import { nullRequest } from './null-list.ts';

export interface FlowResult {
  readonly rows: number;
  /** Rows per second from the first shard's begin to the last one's end. */
  readonly steady: number;
  /** Rows per second over the whole process, which reads the list and writes the manifest first. */
  readonly whole: number;
  readonly peaks: readonly ProcessPeak[];
}

export async function measureFlow(rows: number, folder: string, signal: AbortSignal): Promise<FlowResult> {
  const out = join(folder, 'flow');
  const request = await nullRequest(join(folder, 'flow.txt'), rows);
  const { wallSeconds, peaks } = await measureProcess({
    command: process.execPath,
    args: [LAYERTAP, 'extract', ...request, '--out', out],
    signal,
  });
  const summary = z
    .looseObject({ rows: z.number(), imagesPerSecond: z.number() })
    .parse(JSON.parse(await readFile(join(out, 'summary.json'), 'utf8')));
  return { rows: summary.rows, steady: summary.imagesPerSecond, whole: summary.rows / wallSeconds, peaks };
}
