// Publishes folders and files into the cache whole or not at all, for everything the set-up fetches or builds.

import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { makeFolders } from '../../shared/src/make-folders.ts';
import { type LockOptions, withLock } from './lock.ts';

export interface PublishOptions extends LockOptions {
  /** File inside the folder whose presence says that the folder is whole; written last by `fill`. */
  readonly marker: string;
}

/**
 * Makes sure that the folder `target` is there: `fill` writes into a temporary folder beside it, which is flushed to
 * the disk and renamed. Whoever comes second, in this process or another, finds the first one's folder.
 * Returns true where this call made the folder.
 */
export async function publishFolder(
  target: string,
  fill: (draft: string) => Promise<void>,
  options: PublishOptions,
): Promise<boolean> {
  if (await isFile(join(target, options.marker))) return false;
  return withLock(
    `${target}.lock`,
    async () => {
      if (await isFile(join(target, options.marker))) return false;
      await removeLeftovers(target);
      await rm(target, { recursive: true, force: true }); // Without its marker it isn't whole.
      const draft = draftName(target);
      await makeFolders(draft);
      try {
        await fill(draft);
        if (!(await isFile(join(draft, options.marker)))) {
          throw new Error(`Expected \`fill\` to write ${options.marker} for ${target} but it did not`);
        }
        await flush(draft);
        await rename(draft, target);
        await flushEntry(dirname(target));
      } catch (error) {
        await rm(draft, { recursive: true, force: true });
        throw error;
      }
      return true;
    },
    options,
  );
}

/** Writes a small file whole: to a temporary name, flushed, renamed. */
export async function publishFile(target: string, content: string): Promise<void> {
  await makeFolders(dirname(target));
  const draft = draftName(target);
  try {
    await writeFile(draft, content);
    await flushEntry(draft);
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** A temporary name beside `target`, so that the rename stays within one file system; it carries host and pid. */
export function draftName(target: string): string {
  return `${target}.draft-${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
}

/** Bytes below a folder; 0 where there is none. */
export async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  let total = 0;
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) total += await folderBytes(path);
    else if (entry.isFile()) {
      total += await stat(path).then(
        found => found.size,
        () => 0,
      );
    }
  }
  return total;
}

export async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    found => found.isFile(),
    () => false,
  );
}

/** Drafts of the same target that a killed process left: nobody else can be writing one while the lock is held. */
async function removeLeftovers(target: string): Promise<void> {
  const folder = dirname(target);
  const prefix = `${target.slice(folder.length + 1)}.draft-`;
  for (const name of await readdir(folder).catch(() => [])) {
    if (name.startsWith(prefix)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function flush(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await flush(path);
    else if (entry.isFile()) await flushEntry(path);
  }
  await flushEntry(folder);
}

async function flushEntry(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } catch {
    // Some file systems refuse to flush a folder; the rename is still all or nothing for every reader.
  } finally {
    await handle.close();
  }
}
