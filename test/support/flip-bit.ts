// Damages the values of a part so that it is read without complaint: only its sha256 tells.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readReceipt } from '../../shared/src/run.ts';
import type { SmallRun } from './small-run.ts';

/** Of a run of uncompressed Arrow parts. Returns the path of the part. */
export async function flipBit({ root, storage, run }: SmallRun, shard: number): Promise<string> {
  const [file] = (await readReceipt(storage, run, shard))?.files ?? [];
  if (file === undefined) throw new Error(`Expected a part of shard ${shard}`);
  await flipBitOf(join(root, file.path));
  return file.path;
}

/** @param at which byte @default the one in the middle */
export async function flipBitOf(path: string, at?: number): Promise<void> {
  const bytes = await readFile(path);
  const byte = at ?? Math.floor(bytes.length / 2);
  bytes[byte] = (bytes[byte] ?? 0) ^ 1;
  await writeFile(path, bytes);
}
