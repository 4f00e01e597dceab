// The fuzz of images: damages whole ones by a seed, prepares each in a process that may be lost, and asks Pillow what it says
// of the same files. For fuzz-images.test.ts and, with many files, fuzz-images-main.ts.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { damagedCopy, randomOf } from '../../support/damage.ts';
import { type FuzzBounds, FuzzChild } from '../../support/fuzz-child.ts';
import { type FuzzedFormat, imageBases } from './fuzz-images-bases.ts';
import type { ImageAnswer, ImageTask } from './fuzz-images-process.ts';

/** What Pillow says of a file: the digest of its pixels as pillow_answers.py makes them, or why it raises. */
export type PillowAnswer = { readonly sha256: string } | { readonly error: string };

export interface ImageFuzzOptions extends FuzzBounds {
  readonly count: number;
  readonly seed: number;
  /** Files are compared with its answers; without it they are not. */
  readonly pillow?: ((paths: readonly string[]) => Promise<readonly PillowAnswer[]>) | undefined;
  readonly signal?: AbortSignal;
}

export interface ImageFuzzReport {
  readonly format: FuzzedFormat;
  files: number;
  ok: number;
  /** Failed rows by their codes. */
  readonly rows: Record<string, number>;
  slowestMs: number;
  peakMb: number;
  /** Other errors, dead processes, files out of bounds: each with its seed. */
  readonly failures: string[];
  /** Both refuse, or both give the same pixels. */
  agreed: number;
  /** The others by what both say. */
  readonly differences: Record<string, string[]>;
}

/** So many files lie on the disk at a time. */
const CHUNK = 500;

export async function fuzzImages(format: FuzzedFormat, options: ImageFuzzOptions): Promise<ImageFuzzReport> {
  const report: ImageFuzzReport = {
    ...{ format, files: 0, ok: 0, rows: {}, slowestMs: 0, peakMb: 0, failures: [], agreed: 0, differences: {} },
  };
  const bases = await imageBases(format);
  const child = new FuzzChild<ImageTask, ImageAnswer>(new URL('fuzz-images-process.ts', import.meta.url), [], options);
  const folder = await mkdtemp(join(tmpdir(), 'layertap-fuzz-'));
  try {
    const end = options.seed + options.count;
    for (let from = options.seed; from < end && options.signal?.aborted !== true; from += CHUNK) {
      const seeds = Array.from({ length: Math.min(CHUNK, end - from) }, (_, i) => from + i);
      const paths = seeds.map(seed => join(folder, `${seed}.${format}`));
      for (const [i, seed] of seeds.entries()) {
        const base = bases[seed % bases.length];
        if (base !== undefined) await writeFile(paths[i] as string, damagedCopy(base.bytes, randomOf(seed)));
      }
      const pillow = options.pillow === undefined ? undefined : await options.pillow(paths);
      for (const [i, seed] of seeds.entries()) {
        const path = paths[i] as string;
        const name = `seed ${seed} (${bases[seed % bases.length]?.name})`;
        count(report, name, await child.ask({ path }), pillow?.[i]);
        await rm(path);
      }
    }
    return report;
  } finally {
    child.end();
    await rm(folder, { recursive: true, force: true });
  }
}

type Answer = Awaited<ReturnType<FuzzChild<ImageTask, ImageAnswer>['ask']>>;

function count(report: ImageFuzzReport, name: string, answer: Answer, pillow: PillowAnswer | undefined): void {
  report.files++;
  report.slowestMs = Math.max(report.slowestMs, Math.round(answer.processorMs));
  report.peakMb = Math.max(report.peakMb, answer.peakMb);
  if (!('sha256' in answer) || answer.outcome === 'failed') {
    report.failures.push(`${report.format}, ${name}: ${answer.message}`);
    return;
  }
  const code = answer.code ?? 'ok';
  if (answer.outcome === 'ok') report.ok++;
  else report.rows[code] = (report.rows[code] ?? 0) + 1;
  if (pillow === undefined) return;
  const [ours, theirs] = [answer.sha256, 'sha256' in pillow ? pillow.sha256 : null];
  if (ours === theirs) {
    report.agreed++;
    return;
  }
  const pillowSays = 'error' in pillow ? pillow.error : ours === null ? 'pixels' : 'other pixels';
  const key = `${ours === null ? `${code}: ${generalized(answer.message)}` : 'pixels'} | Pillow: ${generalized(pillowSays)}`;
  report.differences[key] = [...(report.differences[key] ?? []), name];
}

/** One reason for all numbers and names that stand in it. */
function generalized(message: string): string {
  return message
    .replace(/b?'[^']*'|"[^"]*"/g, '…')
    .replace(/0x[0-9a-f]+/gi, 'N')
    .replace(/\d+/g, 'N')
    .slice(0, 100);
}
