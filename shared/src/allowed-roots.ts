// The folders beyond which a worker neither reads nor writes, whatever a job, a list or a link says.
import { realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { hasErrorCode } from './errors.ts';

/** Tells whether a path, with all links resolved, lies in one of the folders; of what does not exist yet, where it would lie. */
export type AllowsPath = (path: string) => Promise<boolean>;

/** @param roots undefined where everything is allowed */
export function allowedRoots(roots: readonly string[] | undefined): AllowsPath {
  if (roots === undefined) return async () => true;
  let real: Promise<readonly string[]> | undefined;
  return async path => {
    real ??= Promise.all(roots.map(root => realPlace(resolve(root))));
    const place = await realPlace(resolve(path));
    return (await real).some(root => place === root || place.startsWith(root.endsWith(sep) ? root : root + sep));
  };
}

async function realPlace(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    // A circle of links, or a file where a folder should be, is read by nobody: it lies where it is written.
    if (!hasErrorCode(error, 'ENOENT') || dirname(path) === path) return path;
    return join(await realPlace(dirname(path)), basename(path));
  }
}
