// The folders beyond which a worker neither reads nor writes, whatever a job, a list or a link says.
import { realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { hasErrorCode } from './errors.ts';

/**
 * The place of a path with all links resolved, to be opened instead of it; of what does not exist yet, where it would lie.
 * Undefined where that is in none of the folders.
 */
export type ResolveAllowed = (path: string) => Promise<string | undefined>;

/** @param roots undefined where everything is allowed: paths then stay as they are */
export function allowedRoots(roots: readonly string[] | undefined): ResolveAllowed {
  if (roots === undefined) return async path => path;
  let real: Promise<readonly string[]> | undefined;
  return async path => {
    real ??= Promise.all(roots.map(root => realPlace(resolve(root))));
    const place = await realPlace(path);
    const isInside = (await real).some(
      root => place === root || place.startsWith(root.endsWith(sep) ? root : root + sep),
    );
    return isInside ? place : undefined;
  };
}

/** The system's own resolution: a `..` behind a link leads to the folder above the link's target. */
async function realPlace(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    // A circle of links, or a file where a folder should be, is read by nobody: it lies where it is written.
    if (!hasErrorCode(error, 'ENOENT') || dirname(path) === path) return path;
    return join(await realPlace(dirname(path)), basename(path));
  }
}
