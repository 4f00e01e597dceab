// Tells a deleted image from a source that is not mounted on this machine. For read.ts.
import { opendir } from 'node:fs/promises';
import { sep } from 'node:path';
import { hasErrorCode, Refusal } from '../../../shared/src/errors.ts';

/**
 * Refuses with `source-unreadable` when the folder that `source` and the image at `uri` have in common is missing, or
 * empty as a mount point without its mount is. That folder is a folder source itself, the fixed beginning of a glob,
 * and where a list lies beside its images; it is the root of the file system, so never missing, where it lies elsewhere.
 */
export async function checkSourceFolder(source: string, uri: string): Promise<void> {
  const folder = commonFolder(source, uri);
  if (folder === undefined) return;
  let cause: unknown;
  try {
    const directory = await opendir(folder);
    try {
      if ((await directory.read()) !== null) return;
    } finally {
      await directory.close();
    }
  } catch (error) {
    // Files can be opened by name in a folder that may not be listed.
    if (hasErrorCode(error, 'EACCES')) return;
    cause = error;
  }
  const found = cause === undefined ? 'empty' : 'missing';
  const message = `Expected the source folder '${folder}' on this machine but it is ${found}: is it mounted?`;
  throw new Refusal('source-unreadable', message, { cause });
}

/** The leading folders that both paths share; undefined when they share none, or only the root. */
function commonFolder(source: string, uri: string): string | undefined {
  const [a, b] = [source.split(sep), uri.split(sep)];
  const end = b.findIndex((name, depth) => name !== a[depth]);
  const folder = b.slice(0, end === -1 ? -1 : end).join(sep);
  return folder === '' ? undefined : folder;
}
