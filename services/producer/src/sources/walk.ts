// Walks a folder in one fixed order, holding one directory's names at a time: for the folder and the glob source.
import type { Dirent } from 'node:fs';
import { opendir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { describeError, hasErrorCode, Refusal } from '../../../../shared/src/errors.ts';

const IMAGE_FILE = /\.(?:jpe?g|jfif|png|webp|gif|tiff?|avif|bmp)$/i;

export interface WalkOptions {
  /**
   * Which relative paths are meant at all; others are passed over without a note.
   * @default every path
   */
  readonly matches?: (path: string) => boolean;
  /**
   * How many directories below the root to enter.
   * @default unlimited
   */
  readonly maxDepth?: number;
}

/** What a walk passed over, in counts. */
export interface Skipped {
  otherFiles: number;
  linksOutside: number;
  linkedDirectories: number;
}

/** A directory of the current path: its sorted names, those of directories with a `/` at the end. */
interface Level {
  readonly prefix: string;
  readonly names: readonly string[];
  next: number;
}

/**
 * Relative paths of all images below `root`, sorted as whole strings by UTF-16 code unit, so in one order on every
 * machine. A directory sorts as its name with `/`: that is what makes `a-b/c`, `a.jpg`, `a/b` come out in the order of
 * the whole paths although only one directory is looked at.
 *
 * Links to files inside the root are followed. Links to directories are not, which also keeps loops out: what they
 * lead to inside the root is walked at its own place. Hidden names are passed over.
 */
export async function* walkImages(root: string, skipped: Skipped, options: WalkOptions = {}): AsyncGenerator<string> {
  const { matches = (): boolean => true, maxDepth = Number.POSITIVE_INFINITY } = options;
  const visit: Visit = { root, realRoot: await resolveRoot(root), matches, skipped };
  const levels: Level[] = [{ prefix: '', names: await readNames(visit, ''), next: 0 }];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const name = level.names[level.next++];
    if (name === undefined) {
      levels.pop();
    } else if (!name.endsWith('/')) {
      yield level.prefix + name;
    } else if (levels.length <= maxDepth) {
      const prefix = level.prefix + name;
      levels.push({ prefix, names: await readNames(visit, prefix), next: 0 });
    }
  }
}

/** Names of the directories right below `root`, with `/` at the end, in the order of the walk. */
export async function listDirectories(root: string): Promise<readonly string[]> {
  const visit: Visit = { root, realRoot: await resolveRoot(root), matches: () => false, skipped: noneSkipped() };
  return readNames(visit, '');
}

export function noneSkipped(): Skipped {
  return { otherFiles: 0, linksOutside: 0, linkedDirectories: 0 };
}

interface Visit {
  readonly root: string;
  readonly realRoot: string;
  readonly matches: (path: string) => boolean;
  readonly skipped: Skipped;
}

/** Sorted names of one directory's images and directories. */
async function readNames(visit: Visit, prefix: string): Promise<readonly string[]> {
  const directory = join(visit.root, prefix);
  const names: string[] = [];
  try {
    for await (const entry of await opendir(directory, { bufferSize: 1024 })) {
      if (entry.name.startsWith('.')) continue;
      if (entry.isDirectory()) names.push(`${entry.name}/`);
      else if (visit.matches(prefix + entry.name) && (await isWanted(visit, directory, entry))) names.push(entry.name);
    }
  } catch (cause) {
    throw refuseDirectory(directory, cause);
  }
  return names.sort();
}

/** Whether the entry is an image file, or a link to one inside the root; counts what it is instead. */
async function isWanted({ realRoot, skipped }: Visit, directory: string, entry: Dirent): Promise<boolean> {
  if (!entry.isSymbolicLink()) {
    const wanted = entry.isFile() && IMAGE_FILE.test(entry.name);
    if (!wanted) skipped.otherFiles++;
    return wanted;
  }
  const target = await resolveLink(join(directory, entry.name));
  if (target?.isDirectory === true) {
    skipped.linkedDirectories++;
    return false;
  }
  if (!IMAGE_FILE.test(entry.name)) {
    skipped.otherFiles++;
    return false;
  }
  // A dangling link with an image's name is kept: it ends as a failed row instead of vanishing.
  const inside = target === undefined || target.path.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep);
  if (!inside) skipped.linksOutside++;
  return inside;
}

/** Where a link ends, or undefined where it ends nowhere: dangling, or in a circle. */
async function resolveLink(
  link: string,
): Promise<{ readonly path: string; readonly isDirectory: boolean } | undefined> {
  try {
    const path = await realpath(link);
    return { path, isDirectory: (await stat(path)).isDirectory() };
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENOTDIR', 'EACCES'].some(code => hasErrorCode(error, code))) return undefined;
    throw error;
  }
}

async function resolveRoot(root: string): Promise<string> {
  try {
    return await realpath(root);
  } catch (cause) {
    throw refuseDirectory(root, cause);
  }
}

function refuseDirectory(directory: string, cause: unknown): Refusal {
  return new Refusal(
    'source-unreadable',
    `Expected a readable directory for \`source\` but received "${directory}" (${describeError(cause)})`,
    { hint: 'Make it readable, or move it out of the source: no image is left out silently.', cause },
  );
}
