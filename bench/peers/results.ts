// The measurements of the comparison, one JSON line each: a run that was stopped goes on after the last one. For main.ts.
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { hasErrorCode } from '../../shared/src/errors.ts';

const PeerResult = z.object({
  cell: z.string(),
  peer: z.string(),
  round: z.int(),
  images: z.int(),
  /** Of the whole process: start, imports, model, all images, the written features. */
  seconds: z.number(),
  /** What it wrote. */
  bytes: z.number(),
  /** Largest sum over the levels of its processes; 0 where the system does not tell. */
  peakBytes: z.number(),
  versions: z.record(z.string(), z.string()),
  commit: z.string(),
  cpu: z.string(),
  date: z.string(),
});
export type PeerResult = z.output<typeof PeerResult>;

export async function readPeerResults(path: string): Promise<PeerResult[]> {
  try {
    const lines = (await readFile(path, 'utf8')).split('\n').filter(line => line !== '');
    return lines.map(line => PeerResult.parse(JSON.parse(line)));
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  }
}

export async function appendPeerResult(path: string, result: PeerResult): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await appendFile(path, `${JSON.stringify(result)}\n`);
}
