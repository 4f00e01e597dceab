// A source over a directory of images, with class folders as labels: what the folder and the glob source share.
import { join, resolve } from 'node:path';
import { Refusal } from '../../../../shared/src/errors.ts';
import type { CarriedColumn, Sample } from '../../../../shared/src/manifest.ts';
import type { Source } from '../source.ts';
import { listDirectories, noneSkipped, type Skipped, type WalkOptions, walkImages } from './walk.ts';

const LABEL: CarriedColumn = { name: 'label', type: 'utf8' };

export interface ImageTree {
  /** What the user's argument was recognised as. */
  readonly kind: string;
  /** The user's argument, for messages. */
  readonly location: string;
  /** The directory that sample ids are relative to. */
  readonly root: string;
  readonly walk: WalkOptions;
}

/** Opens the tree; refuses one without images. Walks only as far as the first image and the first labelled one. */
export async function openImageTree({ kind, location, root, walk }: ImageTree): Promise<Source> {
  const skipped = noneSkipped();
  const first = await firstImage(root, walk, skipped);
  if (first === undefined) throw refuseEmpty(kind, location, root, skipped);
  const labelled = first.includes('/') || (await hasClassFolders(root, walk));
  const walked = noneSkipped();
  return {
    kind,
    carried: labelled ? [LABEL] : [],
    samples: () => streamSamples(resolve(root), walk, labelled, walked),
    notes: () => describeSkipped(walked),
  };
}

async function* streamSamples(
  root: string,
  walk: WalkOptions,
  labelled: boolean,
  skipped: Skipped,
): AsyncGenerator<Sample> {
  for await (const path of walkImages(root, skipped, walk)) {
    yield { sampleId: path, uri: join(root, path), carried: labelled ? [labelOf(path)] : [] };
  }
}

/** The top-level folder's name; null for an image right in the root. */
function labelOf(path: string): string | null {
  const end = path.indexOf('/');
  return end === -1 ? null : path.slice(0, end);
}

async function firstImage(root: string, walk: WalkOptions, skipped: Skipped): Promise<string | undefined> {
  for await (const path of walkImages(root, skipped, walk)) return path;
  return undefined;
}

/** Looks below the root's directories alone, so that a million images right in the root cost nothing. */
async function hasClassFolders(root: string, walk: WalkOptions): Promise<boolean> {
  const { matches = (): boolean => true, maxDepth = Number.POSITIVE_INFINITY } = walk;
  if (maxDepth === 0) return false;
  for (const folder of await listDirectories(root)) {
    const below: WalkOptions = { matches: path => matches(folder + path), maxDepth: maxDepth - 1 };
    if ((await firstImage(join(root, folder), below, noneSkipped())) !== undefined) return true;
  }
  return false;
}

function describeSkipped({ otherFiles, linksOutside, linkedDirectories }: Skipped): readonly string[] {
  const notes: string[] = [];
  if (otherFiles > 0) notes.push(`skipped ${count(otherFiles, 'file that is', 'files that are')} no image`);
  if (linksOutside > 0) notes.push(`skipped ${count(linksOutside, 'link', 'links')} to files outside the source`);
  if (linkedDirectories > 0)
    notes.push(`skipped ${count(linkedDirectories, 'link to a directory', 'links to directories')}`);
  return notes;
}

function count(number: number, one: string, many: string): string {
  return `${number.toLocaleString('en-US')} ${number === 1 ? one : many}`;
}

function refuseEmpty(kind: string, location: string, root: string, skipped: Skipped): Refusal {
  const passed = describeSkipped(skipped);
  const found = passed.length === 0 ? `no image below ${resolve(root)}` : passed.join(', ');
  return new Refusal(
    'source-unreadable',
    `Expected a ${kind} with images for \`source\` but received "${location}" (${found})`,
    {
      hint: 'Images are jpg, jpeg, jfif, png, webp, gif, tif, tiff, avif and bmp files; hidden names are passed over.',
      emptyPath: location,
    },
  );
}
