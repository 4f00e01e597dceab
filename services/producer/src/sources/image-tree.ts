// A source over a directory of images, with class folders as labels: what the folder and the glob source share.
import { join, resolve } from 'node:path';
import { Refusal } from '../../../../shared/src/errors.ts';
import type { CarriedColumn, Sample } from '../../../../shared/src/manifest.ts';
import { createSkipCounter, describeSkipped, isLink, type SkipCounter } from '../../../../shared/src/skipped.ts';
import type { Source } from '../source.ts';
import { listDirectories, type WalkOptions, walkImages } from './walk.ts';

const LABEL: CarriedColumn = { name: 'label', type: 'utf8' };
const SPLIT: CarriedColumn = { name: 'split', type: 'utf8' };
/** How data sets name the folders of their parts. */
const SPLIT_NAME =
  /^(?:train|training|trainset|val|valid|validation|valset|dev|test|testing|testset|eval|evaluation)$/i;

export interface ImageTree {
  /** What the user's argument was recognised as. */
  readonly kind: string;
  /** The user's argument, for messages. */
  readonly location: string;
  /** The directory that sample ids are relative to. */
  readonly root: string;
  readonly walk: WalkOptions;
  /** Whether the folders right below the root are splits. @default as their names say */
  readonly splits?: boolean | undefined;
}

/** Opens the tree; refuses one without images. Walks only as far as the first image of each folder that decides the columns. */
export async function openImageTree(tree: ImageTree): Promise<Source> {
  const { kind, location, root, walk } = tree;
  const skipped = createSkipCounter();
  const first = await firstImage(root, walk, skipped);
  if (first === undefined) throw refuseEmpty(kind, location, root, skipped);
  const columns = await columnsOf(tree, first);
  const walked = createSkipCounter();
  return {
    kind,
    carried: columns,
    samples: () => streamSamples(resolve(root), walk, columns, walked),
    skipped: walked.all,
  };
}

async function* streamSamples(
  root: string,
  walk: WalkOptions,
  columns: readonly CarriedColumn[],
  skipped: SkipCounter,
): AsyncGenerator<Sample> {
  const splits = columns.includes(SPLIT);
  for await (const path of walkImages(root, skipped, walk)) {
    const folders = path.split('/').slice(0, -1);
    const split = splits ? (folders.shift() ?? null) : null;
    const label = folders[0] ?? null;
    yield { sampleId: path, uri: join(root, path), carried: columns.map(column => (column === SPLIT ? split : label)) };
  }
}

/** Class folders give a label; where all folders right below the root are splits of a data set, those below them do. */
async function columnsOf({ root, walk, splits }: ImageTree, first: string): Promise<readonly CarriedColumn[]> {
  if (splits !== true && (splits === false || !(await areSplits(root, walk))))
    return first.includes('/') || (await hasClassFolders(root, walk)) ? [LABEL] : [];
  for (const folder of await listDirectories(root, walk.followLinks === true))
    if (await hasClassFolders(join(root, folder), below(folder, walk))) return [SPLIT, LABEL];
  return [SPLIT];
}

async function areSplits(root: string, walk: WalkOptions): Promise<boolean> {
  let found = 0;
  for (const folder of await listDirectories(root, walk.followLinks === true)) {
    if (SPLIT_NAME.test(folder.slice(0, -1))) found++;
    else if ((await firstImage(join(root, folder), below(folder, walk), createSkipCounter())) !== undefined)
      return false;
  }
  return found > 0;
}

function below(
  folder: string,
  { matches = (): boolean => true, maxDepth = Number.POSITIVE_INFINITY, ...walk }: WalkOptions,
): WalkOptions {
  return { ...walk, matches: path => matches(folder + path), maxDepth: maxDepth - 1 };
}

async function firstImage(root: string, walk: WalkOptions, skipped: SkipCounter): Promise<string | undefined> {
  for await (const path of walkImages(root, skipped, walk)) return path;
  return undefined;
}

/** Looks below the root's directories alone, so that a million images right in the root cost nothing. */
async function hasClassFolders(root: string, walk: WalkOptions): Promise<boolean> {
  if (walk.maxDepth === 0) return false;
  for (const folder of await listDirectories(root, walk.followLinks === true)) {
    if ((await firstImage(join(root, folder), below(folder, walk), createSkipCounter())) !== undefined) return true;
  }
  return false;
}

function refuseEmpty(kind: string, location: string, root: string, skipped: SkipCounter): Refusal {
  const passed = skipped.all().map(describeSkipped);
  const found = passed.length === 0 ? `no image below ${resolve(root)}` : passed.join('; ');
  return new Refusal(
    'source-unreadable',
    `Expected a ${kind} with images for \`source\` but received "${location}" (${found})`,
    {
      hint: `${skipped.all().some(isLink) ? '`--follow-links` takes what links lead to. ' : ''}Images are jpg, jpeg, jfif, png, webp, gif, tif, tiff, avif and bmp files; hidden names are passed over.`,
      emptyPath: location,
    },
  );
}
