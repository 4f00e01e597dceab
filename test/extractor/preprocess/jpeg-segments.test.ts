// Our own reading of a JPEG's header against libvips' on real files, broken ones among them.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readHeader } from '../../../extractor/src/preprocess/decode.ts';
import { readJpegHeader } from '../../../extractor/src/preprocess/jpeg-segments.ts';
import { haveImages, IMAGES, listImages, whyNoImages } from './images.ts';

describe.skipIf(!haveImages)(`readJpegHeader${whyNoImages}`, () => {
  it.each(['clothing', 'oddities', 'broken'])('agrees with libvips on every JPEG of %s', async folder => {
    const paths = (await listImages(folder)).filter(path => /\.jpe?g$/i.test(path));
    let read = 0;
    for (const path of paths) {
      const bytes = await readFile(join(IMAGES, path));
      const ours = readJpegHeader(bytes);
      const theirs = await readHeader(bytes, 'jpeg');
      if (ours === undefined || !theirs.ok) continue;
      // Ours leaves the orientation to those who need it.
      const { width, height, space, hasAlpha } = theirs.value;
      expect([path, ours]).toEqual([path, { width, height, oriented: { width, height }, space, hasAlpha }]);
      read++;
    }
    expect(read).toBeGreaterThan(paths.length / 2);
  });
});

describe('readJpegHeader', () => {
  it.each([
    ['no frame', 'ffd8ffd9'],
    ['a height that comes later', 'ffd8ffc0001108000000080301220002110103110100'],
    ['two components', 'ffd8ffc0000e0800080008020122000211'],
    ['nothing', ''],
  ])('leaves %s to libvips', (_, hex) => {
    expect(readJpegHeader(Buffer.from(hex, 'hex'))).toBeUndefined();
  });
});
