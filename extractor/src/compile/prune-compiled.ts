// Keeps the folder of compiled models within a bound: what was used longest ago goes first.
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode } from '../../../shared/src/errors.ts';

export interface PruneOptions {
  readonly maxBytes: number;
  /** What was used more recently stays: a process may be about to open it. */
  readonly keepMs: number;
}

interface Entry {
  readonly folder: string;
  readonly bytes: number;
  readonly usedAt: number;
}

/** @param marker file in each folder whose time says when it was last used; folders without it are being made */
export async function pruneCompiled(root: string, marker: string, { maxBytes, keepMs }: PruneOptions): Promise<void> {
  const names = await readdir(root, { withFileTypes: true });
  const folders = names.filter(entry => entry.isDirectory()).map(({ name }) => join(root, name));
  const entries = (await Promise.all(folders.map(folder => readEntry(folder, marker)))).flat();
  entries.sort((a, b) => b.usedAt - a.usedAt);
  const limit = Date.now() - keepMs;
  let total = 0;
  for (const { folder, bytes, usedAt } of entries) {
    total += bytes;
    if (total > maxBytes && usedAt < limit) await rm(folder, { recursive: true, force: true });
  }
}

/** Empty where the folder is not whole, or goes meanwhile. */
async function readEntry(folder: string, marker: string): Promise<readonly Entry[]> {
  try {
    const { mtimeMs } = await stat(join(folder, marker));
    const sizes = await Promise.all((await readdir(folder)).map(async name => (await stat(join(folder, name))).size));
    return [{ folder, bytes: sizes.reduce((sum, size) => sum + size, 0), usedAt: mtimeMs }];
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  }
}
