// Keeps a folder of the cache within a bound: what was used longest ago goes first.
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode } from '../../../shared/src/errors.ts';

export interface PruneOptions {
  readonly maxBytes: number;
  /** What was used more recently stays: a process may be about to open it. */
  readonly keepMs: number;
}

interface Entry {
  readonly path: string;
  readonly bytes: number;
  readonly usedAt: number;
}

/** The file system notes when a file was last read, at least by the day, so that reading a cache writes nothing. Locks stay. */
export async function pruneCompiled(folder: string, { maxBytes, keepMs }: PruneOptions): Promise<void> {
  const names = (await readdir(folder)).filter(name => !name.endsWith('.lock'));
  const entries = (await Promise.all(names.map(name => readEntry(join(folder, name))))).flat();
  entries.sort((a, b) => b.usedAt - a.usedAt);
  const limit = Date.now() - keepMs;
  // No writer takes as long: it was killed.
  const isLeft = ({ path, usedAt }: Entry): boolean => /\.draft-/.test(path) && usedAt < limit;
  let total = 0;
  for (const entry of entries) {
    total += entry.bytes;
    const isTooMuch = total > maxBytes && entry.usedAt < limit;
    if (isTooMuch || isLeft(entry)) await rm(entry.path, { recursive: true, force: true });
  }
}

/** A folder is of an older version, with what it holds. Empty where it goes meanwhile. */
async function readEntry(path: string): Promise<readonly Entry[]> {
  try {
    const found = await stat(path);
    const usedAt = Math.max(found.atimeMs, found.mtimeMs);
    if (!found.isDirectory()) return [{ path, bytes: found.size, usedAt }];
    const files = await Promise.all((await readdir(path)).map(name => stat(join(path, name))));
    return [{ path, bytes: files.reduce((sum, file) => sum + file.size, 0), usedAt: found.mtimeMs }];
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  }
}
