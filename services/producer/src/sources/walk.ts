// Walks a folder in one fixed order, holding one directory's names at a time: for the folder and the glob source.
import type { Dirent } from 'node:fs';
import { opendir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { describeError, hasErrorCode, Refusal } from '../../../../shared/src/errors.ts';
import { createSkipCounter, type SkipCounter } from '../../../../shared/src/skipped.ts';

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
  /**
   * Whether links to directories are entered, and links to files outside of the root taken.
   * @default false
   */
  readonly followLinks?: boolean;
}

/** A directory of the current path: its sorted names, those of directories with a `/` at the end. */
interface Level extends Names {
  readonly prefix: string;
  /** Without links. */
  readonly real: string;
  next: number;
}

interface Names {
  readonly names: readonly string[];
  /** Where those of them lead that are links to directories. */
  readonly linked: ReadonlyMap<string, string>;
}

/**
 * Relative paths of all images below `root`, sorted as whole strings by UTF-16 code unit, so in one order on every
 * machine. A directory sorts as its name with `/`: that is what makes `a-b/c`, `a.jpg`, `a/b` come out in the order of
 * the whole paths although only one directory is looked at.
 *
 * Links to files inside the root are followed. Others, and links to directories, are followed where that is asked for; one
 * that leads to a directory above it would go in a circle and is passed over. Hidden names are passed over.
 */
export async function* walkImages(
  root: string,
  skipped: SkipCounter,
  options: WalkOptions = {},
): AsyncGenerator<string> {
  const { matches = (): boolean => true, maxDepth = Number.POSITIVE_INFINITY, followLinks = false } = options;
  const realRoot = await resolveRoot(root);
  const levels: Level[] = [];
  const visit: Visit = { root, realRoot, matches, skipped, followLinks, open: levels };
  const enter = async (prefix: string, real: string): Promise<void> => {
    const level = { prefix, real, names: [], linked: new Map(), next: 0 };
    // Open before its names are read: a link in it to itself is a circle.
    levels.push(level);
    levels[levels.length - 1] = { ...level, ...(await readNames(visit, prefix)) };
  };
  await enter('', realRoot);
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const name = level.names[level.next++];
    if (name === undefined) {
      levels.pop();
    } else if (!name.endsWith('/')) {
      yield level.prefix + name;
    } else if (levels.length <= maxDepth) {
      await enter(level.prefix + name, level.linked.get(name) ?? join(level.real, name.slice(0, -1)));
    }
  }
}

/** Names of the directories right below `root`, with `/` at the end, in the order of the walk. */
export async function listDirectories(root: string, followLinks: boolean): Promise<readonly string[]> {
  const [realRoot, skipped] = [await resolveRoot(root), createSkipCounter()];
  const visit: Visit = { root, realRoot, matches: () => false, skipped, followLinks, open: [{ real: realRoot }] };
  return (await readNames(visit, '')).names;
}

interface Visit {
  readonly root: string;
  readonly realRoot: string;
  readonly matches: (path: string) => boolean;
  readonly skipped: SkipCounter;
  readonly followLinks: boolean;
  /** The directories between the root and the one that is read. */
  readonly open: readonly Pick<Level, 'real'>[];
}

/** Sorted names of one directory's images and directories. */
async function readNames(visit: Visit, prefix: string): Promise<Names> {
  const directory = join(visit.root, prefix);
  const names: string[] = [];
  const linked = new Map<string, string>();
  try {
    for await (const entry of await opendir(directory, { bufferSize: 1024 })) {
      if (entry.name.startsWith('.')) continue;
      if (entry.isDirectory()) names.push(`${entry.name}/`);
      else if (!entry.isSymbolicLink()) {
        if (isImageFile(visit, prefix, entry)) names.push(entry.name);
      } else {
        const target = await resolveLink(join(directory, entry.name));
        if (target?.isDirectory !== true) {
          if (isImageLink(visit, prefix + entry.name, target?.path)) names.push(entry.name);
        } else if (isToEnter(visit, prefix + entry.name, target.path)) {
          names.push(`${entry.name}/`);
          linked.set(`${entry.name}/`, target.path);
        }
      }
    }
  } catch (cause) {
    throw refuseDirectory(directory, cause);
  }
  return { names: names.sort(), linked };
}

function isImageFile({ matches, skipped }: Visit, prefix: string, entry: Dirent): boolean {
  const path = prefix + entry.name;
  if (!matches(path)) return false;
  const wanted = entry.isFile() && IMAGE_FILE.test(entry.name);
  if (!wanted) skipped.add('no-image', path);
  return wanted;
}

/** A dangling link with an image's name is kept: it ends as a failed row instead of vanishing. */
function isImageLink({ matches, skipped, realRoot, followLinks }: Visit, path: string, target?: string): boolean {
  if (!matches(path)) return false;
  if (!IMAGE_FILE.test(path)) {
    skipped.add('no-image', path);
    return false;
  }
  const inside = followLinks || target === undefined || isBelow(target, realRoot);
  if (!inside) skipped.add('link-outside', path);
  return inside;
}

function isToEnter({ matches, skipped, followLinks, open }: Visit, path: string, target: string): boolean {
  // A glob may match what is below it, which cannot be told before it is entered.
  if (!followLinks) {
    if (matches(path)) skipped.add('linked-folder', path);
    return false;
  }
  const circle = open.some(({ real }) => real === target || isBelow(real, target));
  if (circle) skipped.add('link-circle', path);
  return !circle;
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(directory.endsWith(sep) ? directory : directory + sep);
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
