// The flow alone: a generated list through the null engine, which reads no image and computes nothing.
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline as pipe } from 'node:stream/promises';
import { z } from 'zod';
import { LAYERTAP } from './contestants/pipeline.ts';
import { measureProcess, type ProcessPeak } from './measure-process.ts';

export interface FlowResult {
  readonly rows: number;
  /** Rows per second from the first shard's begin to the last one's end. */
  readonly steady: number;
  /** Rows per second over the whole process, which reads the list and writes the manifest first. */
  readonly whole: number;
  readonly peaks: readonly ProcessPeak[];
}

const LINES_PER_CHUNK = 10_000;

export async function measureFlow(rows: number, folder: string, signal: AbortSignal): Promise<FlowResult> {
  const list = join(folder, 'flow.txt');
  const out = join(folder, 'flow');
  await pipe(Readable.from(lines(rows)), createWriteStream(list));
  const { wallSeconds, peaks } = await measureProcess({
    command: process.execPath,
    args: [
      ...[LAYERTAP, 'extract', list, '--out', out],
      ...['--model', 'null:1280', '--layer', 'features', '--size', '8x8', '--scale', '1'],
    ],
    signal,
  });
  const summary = z
    .looseObject({ rows: z.number(), imagesPerSecond: z.number() })
    .parse(JSON.parse(await readFile(join(out, 'summary.json'), 'utf8')));
  return { rows: summary.rows, steady: summary.imagesPerSecond, whole: summary.rows / wallSeconds, peaks };
}

function* lines(rows: number): Generator<string> {
  for (let first = 0; first < rows; first += LINES_PER_CHUNK) {
    const count = Math.min(LINES_PER_CHUNK, rows - first);
    yield Array.from({ length: count }, (_, index) => `photos/${String(first + index).padStart(9, '0')}.jpg\n`).join(
      '',
    );
  }
}
