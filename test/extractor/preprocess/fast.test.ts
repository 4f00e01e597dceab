// Fast decoding: how far from the exact pixels, and that every other part of the recipe holds.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decoderVersions } from '../../../extractor/src/preprocess/decode.ts';
import { prepareImage } from '../../../extractor/src/preprocess/prepare-image.ts';
import { Recipe, type RecipeInput } from '../../../shared/src/recipe.ts';
import { haveImages, IMAGES, listImages, makePng, whyNoImages } from './images.ts';

/** Less than a quarter of the photos' 400 pixels: they are halved while they are decoded. */
const SMALL = { width: 96, height: 80 };

describe.skipIf(!haveImages)(`fast decoding of photos${whyNoImages}`, () => {
  it.each<[string, Options]>([
    ['squashed', {}],
    ['with a center crop', { crop: { kind: 'center', shorterSide: 98 } }],
    ['padded by its crop', { crop: { kind: 'center', shorterSide: 75 } }],
    ['in grey', { channels: 'gray' }],
    ['under pillow:bicubic', { resize: 'pillow:bicubic' }],
    ['under pillow:lanczos', { resize: 'pillow:lanczos' }],
    ['under tf:bilinear+antialias', { resize: 'tf:bilinear+antialias' }],
  ])('differs by less than two levels on average, %s', async (_, options) => {
    for (const path of await somePhotos()) {
      const bytes = await readFile(join(IMAGES, path));
      const mean = await distance(bytes, options, SMALL);
      expect([path, mean]).toEqual([path, expect.toSatisfy((value: number) => value > 0 && value < 2)]);
    }
  });

  it('gives the exact pixels where nothing is saved: less than four times the size, or cut before the resize', async () => {
    for (const path of await somePhotos()) {
      const bytes = await readFile(join(IMAGES, path));
      expect([path, await distance(bytes, {})]).toEqual([path, 0]);
      expect([path, await distance(bytes, { crop: { kind: 'aspect' } }, SMALL)]).toEqual([path, 0]);
    }
  });

  it('applies every EXIF orientation before it crops', async () => {
    for (const name of ['Landscape', 'Portrait']) {
      for (let orientation = 0; orientation <= 8; orientation++) {
        const bytes = await readFile(join(IMAGES, 'oddities', `${name}_${orientation}.jpg`));
        for (const exif of ['apply', 'ignore'] as const) {
          expect(await distance(bytes, { exif, crop: { kind: 'center', shorterSide: 256 } })).toBeLessThan(1);
        }
      }
    }
  });

  it('gives the exact pixels of CMYK, whose formula needs whole ones', async () => {
    const bytes = await readFile(join(IMAGES, 'oddities/jpg-cmyk-1.jpg'));
    expect(await distance(bytes, {})).toBe(0);
  });
});

describe('fast decoding', () => {
  it('leaves transparent images to the exact way, so that their alpha policy holds', async () => {
    const png = makePng({ width: 1, height: 1, colour: 'rgba', samples: [200, 100, 50, 0] });
    for (const [alpha, pixel] of [
      ['drop', [200, 100, 50]],
      ['white', [255, 255, 255]],
      ['black', [0, 0, 0]],
    ] as const) {
      const result = await prepareImage(png, Recipe.parse({ width: 1, height: 1, scale: 1, quality: 'fast', alpha }));
      expect(result.ok && Array.from(result.image.values)).toEqual(pixel);
    }
  });

  it('refuses what is broken with the same code', async () => {
    const short = makePng({ width: 4, height: 400, colour: 'rgb', samples: new Array<number>(12).fill(1) });
    const result = await prepareImage(short, Recipe.parse({ width: 8, height: 8, scale: 1, quality: 'fast' }));
    expect(result).toMatchObject({ ok: false, failure: { code: 'corrupt-image' } });
  });
});

describe('decoderVersions', () => {
  it('names sharp, libvips, libjpeg-turbo and the libraries that decide the pixels', () => {
    const versions = decoderVersions();
    for (const name of ['sharp', 'vips', 'mozjpeg', 'png', 'webp', 'tiff', 'heif', 'jpeg-turbo']) {
      expect([name, versions[name]]).toEqual([name, expect.stringMatching(/^[0-9a-f.]+$/)]);
    }
  });
});

async function somePhotos(): Promise<readonly string[]> {
  return (await listImages('clothing')).filter((_, i) => i % 60 === 0);
}

type Options = Omit<RecipeInput, 'width' | 'height' | 'scale'>;
type Size = Pick<RecipeInput, 'width' | 'height'>;

/** Mean difference between fast and exact pixels, in levels. */
async function distance(
  bytes: Uint8Array,
  options: Options,
  size: Size = { width: 224, height: 192 },
): Promise<number> {
  const [exact, fast] = await Promise.all(
    (['exact', 'fast'] as const).map(async quality => {
      const recipe = Recipe.parse({ ...size, scale: 1, ...options, quality });
      const result = await prepareImage(bytes, recipe);
      if (!result.ok) throw new Error(result.failure.message);
      return result.image;
    }),
  );
  if (!exact || !fast) throw new Error('two images expected');
  expect([fast.width, fast.height, fast.values.length]).toEqual([exact.width, exact.height, exact.values.length]);
  return (
    exact.values.reduce((sum, value, i) => sum + Math.abs(value - (fast.values[i] as number)), 0) / fast.values.length
  );
}
