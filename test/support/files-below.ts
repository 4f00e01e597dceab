// What a folder holds, for tests of what commands leave behind.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Paths of all files below a folder, sorted; empty folders do not count. Rejects where there is no such folder. */
export async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort();
}
