// The images of the comparison, made once and kept in the cache: photos of about 500 x 400, and of 12 megapixels. For main.ts.
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { makeDemoImages } from '../../demo/src/images.ts';
import { publishFile, publishFolder } from '../../setup/src/cache.ts';
import type { ImageSetName } from './cells.ts';

export interface ImageSet {
  /** Class folders of JPEGs. */
  readonly folder: string;
  readonly count: number;
}

const PHOTOS = fileURLToPath(new URL('../../../shared/data/images/clothing', import.meta.url));
const CLASSES = 10;
const SIZES = { photos: { width: 500, height: 400, quality: 88 }, large: { width: 4000, height: 3000, quality: 85 } };
const MARKER = 'images.json';

/** @param count images; a photo stands for several of them, cut differently */
export async function prepareImageSet(name: ImageSetName, count: number, cache: string): Promise<ImageSet> {
  const folder = join(cache, `images-${name}-${count}`);
  await publishFolder(folder, draft => makeImages(name, count, draft), { marker: MARKER });
  return { folder: join(folder, 'images'), count };
}

async function makeImages(name: ImageSetName, count: number, draft: string): Promise<void> {
  const originals = await findOriginals(draft);
  const { width, height, quality } = SIZES[name];
  for (let index = 0; index < count; index++) {
    const folder = join(draft, 'images', `class-${index % CLASSES}`);
    await mkdir(folder, { recursive: true });
    const original = originals[index % originals.length] ?? '';
    const turn = Math.floor(index / originals.length);
    const image = sharp(original)
      .flop(turn % 2 === 1)
      .flip(turn % 4 > 1);
    const resized = image.resize({ width, height, fit: 'cover', kernel: 'cubic' });
    await resized.jpeg({ quality }).toFile(join(folder, `${String(index).padStart(5, '0')}.jpg`));
  }
  await publishFile(
    join(draft, MARKER),
    JSON.stringify({ name, count, source: existsSync(PHOTOS) ? 'photos' : 'demo' }),
  );
}

/** The shared photos where they are, else the demo's images. */
async function findOriginals(draft: string): Promise<readonly string[]> {
  const folder = existsSync(PHOTOS) ? PHOTOS : join(draft, 'demo');
  if (folder !== PHOTOS) await makeDemoImages(folder, { broken: false });
  const names = await readdir(folder, { recursive: true });
  return names
    .filter(path => /\.jpe?g$/i.test(path))
    .sort()
    .map(path => join(folder, path));
}
