// The storage on a file system, local or shared between machines (NFS and the like).
import { randomBytes } from 'node:crypto';
import { createReadStream, type Dirent } from 'node:fs';
import { type FileHandle, link, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasErrorCode, Refusal } from '../errors.ts';
import { makeFolders } from '../make-folders.ts';
import type { StagedFile, Storage, StorageEntry } from '../storage.ts';

/** Temporary files start with this: a reader's glob over `parts/` never matches them. */
const TEMPORARY_PREFIX = '.layertap-';

/** Folders of a command's own in a run directory, such as that of a retry, start with this. */
export const WORKSPACE_PREFIX = TEMPORARY_PREFIX;

export function openFileStorage(root: string): Storage {
  const absolute = (path: string): string => join(root, path);

  return {
    root,

    async read(path): Promise<Uint8Array | undefined> {
      try {
        return await readFile(absolute(path));
      } catch (error) {
        if (hasErrorCode(error, 'ENOENT')) return undefined;
        throw storageError(absolute(path), 'read', error);
      }
    },

    stream: path => createReadStream(absolute(path)),

    async stage(directory): Promise<StagedFile> {
      const temporary = join(absolute(directory), temporaryName());
      return guarded(temporary, 'write', async () => {
        await makeFolders(dirname(temporary));
        return stagedFile(await open(temporary, 'wx'), temporary, absolute);
      });
    },

    async createOnce(path, bytes): Promise<boolean> {
      const temporary = await writeTemporary(absolute(path), bytes);
      return linkOnce(temporary, absolute(path));
    },

    async replace(path, bytes): Promise<void> {
      const temporary = await writeTemporary(absolute(path), bytes);
      try {
        await rename(temporary, absolute(path));
        await syncDirectory(dirname(absolute(path)));
      } catch (error) {
        await rm(temporary, { force: true });
        throw storageError(absolute(path), 'write', error);
      }
    },

    async *list(directory): AsyncGenerator<string> {
      yield* listFiles(root, directory);
    },

    async entries(): Promise<readonly StorageEntry[]> {
      return (await entriesOf(root)).map(entry => ({ name: entry.name, isFolder: entry.isDirectory() }));
    },

    async size(path): Promise<number | undefined> {
      try {
        return (await stat(absolute(path))).size;
      } catch (error) {
        if (hasErrorCode(error, 'ENOENT')) return undefined;
        throw storageError(absolute(path), 'read', error);
      }
    },

    async removeFolder(path): Promise<void> {
      await guarded(absolute(path), 'remove', () => rm(absolute(path), { recursive: true, force: true }));
    },

    async remove(path): Promise<void> {
      await guarded(absolute(path), 'remove', () => rm(absolute(path), { force: true }));
    },
  };
}

/** Whether a path inside a run directory is an unfinished temporary file. */
export function isTemporary(path: string): boolean {
  return (path.split('/').at(-1) ?? '').startsWith(TEMPORARY_PREFIX);
}

/** Whether a folder in a run directory is a command's own. */
export function isWorkspace(folder: string): boolean {
  return folder.startsWith(WORKSPACE_PREFIX);
}

function stagedFile(handle: FileHandle, temporary: string, absolute: (path: string) => string): StagedFile {
  let ended = false;
  let flushed = false;

  async function flush(): Promise<void> {
    if (flushed) return;
    await handle.sync();
    flushed = true;
  }

  /** Flushes and closes; what happens to the file then is up to `name`. */
  async function end<T>(path: string, name: (target: string) => Promise<T>): Promise<T> {
    ended = true;
    const target = absolute(path);
    try {
      try {
        await flush();
      } finally {
        await handle.close();
      }
      await makeFolders(dirname(target));
      return await name(target);
    } catch (error) {
      await rm(temporary, { force: true });
      throw storageError(target, 'write', error);
    }
  }

  return {
    async write(bytes): Promise<void> {
      flushed = false;
      await guarded(temporary, 'write', () => writeAll(handle, bytes));
    },
    flush: () => guarded(temporary, 'write', flush),
    publish: path =>
      end(path, async target => {
        await rename(temporary, target);
        await syncDirectory(dirname(target));
      }),
    publishOnce: path => end(path, target => linkOnce(temporary, target)),
    async abort(): Promise<void> {
      if (ended) return;
      ended = true;
      await handle.close();
      await rm(temporary, { force: true });
    },
  };
}

/** Gives a temporary file the name of the target unless a file has it; false then. The temporary name goes in any case. */
async function linkOnce(temporary: string, target: string): Promise<boolean> {
  try {
    await link(temporary, target);
    await syncDirectory(dirname(target));
    return true;
  } catch (error) {
    if (hasErrorCode(error, 'EEXIST')) return false;
    throw storageError(target, 'write', error);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** None where there is no such folder. */
async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw storageError(folder, 'read', error);
  });
}

async function* listFiles(root: string, directory: string): AsyncGenerator<string> {
  for (const entry of await entriesOf(join(root, directory))) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory()) yield* listFiles(root, path);
    else yield path;
  }
}

async function writeTemporary(target: string, bytes: Uint8Array): Promise<string> {
  const temporary = join(dirname(target), temporaryName());
  return guarded(target, 'write', async () => {
    await makeFolders(dirname(target));
    const handle = await open(temporary, 'wx');
    try {
      await writeAll(handle, bytes);
      await handle.sync();
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
    return temporary;
  });
}

/** A single write may be short on a nearly full disk; the next one then reports ENOSPC. */
async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    offset += (await handle.write(bytes, offset)).bytesWritten;
  }
}

/** A rename is durable once its directory is. Some file systems cannot sync one: then it is as good as it gets. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EISDIR', 'EPERM'].some(code => hasErrorCode(error, code))) throw error;
  } finally {
    await handle.close();
  }
}

function temporaryName(): string {
  return `${TEMPORARY_PREFIX}${randomBytes(8).toString('hex')}.tmp`;
}

async function guarded<T>(path: string, verb: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw storageError(path, verb, error);
  }
}

/** Names the path and what to do; the system's own error stays as the cause. */
function storageError(path: string, verb: string, error: unknown): unknown {
  if (error instanceof Refusal) return error;
  const hints: readonly (readonly [code: string, problem: string, hint: string])[] = [
    ['ENOSPC', 'the disk is full', 'Free some space, then run `npx layertap resume` on the output directory.'],
    ['EDQUOT', 'the disk quota is spent', 'Free some space, then run `npx layertap resume` on the output directory.'],
    ['EACCES', 'permission is denied', 'Give this user write access, or choose another --out.'],
    ['EPERM', 'permission is denied', 'Give this user write access, or choose another --out.'],
    ['EROFS', 'the file system is read-only', 'Choose another --out.'],
    ['ENOTDIR', 'part of that path is a file', 'Choose another --out.'],
    ['ENOENT', 'the folder was removed in the meantime', 'Run the same command again.'],
    // What making folders ends with where a file has the name of one.
    ['EEXIST', 'part of that path is a file', 'Choose another --out.'],
  ];
  const known = hints.find(([code]) => hasErrorCode(error, code));
  if (known === undefined) return error;
  return new Refusal('output-unwritable', `Cannot ${verb} '${path}': ${known[1]}`, { hint: known[2], cause: error });
}
