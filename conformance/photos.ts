// The photos that models see: the shared ones where they are on this machine, else the demo images.
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEMO_SEED, makeDemoImages } from '../demo/src/images.ts';

export interface Photos {
  /** Absolute paths, sorted. */
  readonly files: readonly string[];
  /** For the report. */
  readonly name: string;
}

const SHARED = fileURLToPath(new URL('../../shared/data/images/clothing', import.meta.url));

/** @param folder where demo images are drawn, if they are needed */
export async function findPhotos(folder: string): Promise<Photos> {
  if (existsSync(SHARED)) {
    const files = await listJpegs(SHARED);
    return { files, name: `photos of clothing (CC0), shorter side 400 pixels` };
  }
  await makeDemoImages(folder, { seed: DEMO_SEED, broken: false });
  return { files: await listJpegs(folder), name: 'drawn demo images' };
}

/** `count` at even distances, so that all class folders have their share. */
export function pickPhotos(photos: Photos, count: number): readonly string[] {
  const wanted = Math.min(count, photos.files.length);
  return Array.from({ length: wanted }, (_, i) => photos.files[Math.floor((i * photos.files.length) / wanted)] ?? '');
}

async function listJpegs(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true });
  const files = entries.filter(entry => /\.jpe?g$/i.test(entry)).sort();
  return files.map(entry => join(folder, entry));
}
