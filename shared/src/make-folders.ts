// Makes a folder with those above it. For whoever writes a file whose folder may be missing.
import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { hasErrorCode } from './errors.ts';

/**
 * What `mkdir` with `recursive` does, a step at a time: on Node 20.20 that call never returns where a file system answers
 * ENOENT to a new name, as /proc does.
 * @throws the system's error: ENOTDIR where a file stands in the way, EACCES, EROFS, ENOENT, …
 */
export async function makeFolders(path: string): Promise<void> {
  const missing: string[] = [];
  let folder = resolve(path);
  while (!(await stands(folder))) {
    missing.push(folder);
    folder = dirname(folder);
  }
  for (const next of missing.reverse()) await makeFolder(next);
}

/** Another process may make it at the same time. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (!hasErrorCode(error, 'EEXIST') || !(await stands(path))) throw error;
  }
}

/** False where nothing stands; the root always does. */
async function stands(path: string): Promise<boolean> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) return true;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT') && dirname(path) !== path) return false;
    throw error;
  }
  throw Object.assign(new Error(`ENOTDIR: not a directory, mkdir '${path}'`), { code: 'ENOTDIR', path });
}
