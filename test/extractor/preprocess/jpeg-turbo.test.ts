// libjpeg-turbo against libvips, which decides wherever the former has no answer: real photos, odd files and broken ones.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../../extractor/src/preprocess/decode.ts';
import { readJpegHeader } from '../../../extractor/src/preprocess/jpeg-segments.ts';
import { decodeJpeg } from '../../../extractor/src/preprocess/jpeg-turbo.ts';
import type { DecodedPixels } from '../../../extractor/src/preprocess/pixels.ts';
import { prepareImage } from '../../../extractor/src/preprocess/prepare-image.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../../extractor/src/preprocess.ts';
import { Recipe } from '../../../shared/src/recipe.ts';
import { haveImages, IMAGES, listImages, whyNoImages } from './images.ts';

const RECIPE = Recipe.parse({ width: 8, height: 8, scale: 1 });

describe.skipIf(!haveImages)(`decodeJpeg of real files${whyNoImages}`, () => {
  it.each([
    ['clothing', 1],
    ['oddities', 0.5],
    ['broken', 0],
  ])('gives the pixels of libvips or no answer, %s', async (folder, least) => {
    const paths = (await listImages(folder)).filter(path => /\.jpe?g$/i.test(path));
    let answered = 0;
    for (const path of paths) {
      const bytes = await readFile(join(IMAGES, path));
      const pixels = ours(bytes);
      if (pixels === 'no answer') continue;
      expect([path, await theirs(bytes)]).toEqual([path, pixels]);
      answered++;
    }
    expect(answered).toBeGreaterThanOrEqual(paths.length * least);
  });
});

describe('decodeJpeg', () => {
  it.each([
    ['4:2:0', { chromaSubsampling: '4:2:0' }],
    ['4:4:4', { chromaSubsampling: '4:4:4' }],
    ['progressive', { progressive: true }],
  ])('gives the pixels of libvips, %s', async (_, options) => {
    const bytes = await noise(61, 47, 3).jpeg(options).toBuffer();
    expect(ours(bytes)).toEqual(await theirs(bytes));
  });

  it('gives one channel for grey', async () => {
    const bytes = await noise(61, 47, 1).toColourspace('b-w').jpeg().toBuffer();
    expect(ours(bytes)).toMatchObject({ width: 61, height: 47, channels: 1 });
    expect(ours(bytes)).toEqual(await theirs(bytes));
  });

  it('rounds the sides up when it shrinks', async () => {
    const bytes = await noise(61, 47, 3).jpeg().toBuffer();
    const header = headerOf(bytes);
    expect(decodeJpeg(bytes, header, 8)).toMatchObject({ width: 8, height: 6, channels: 3 });
    expect(decodeJpeg(bytes, header, 1)).toMatchObject({ width: 61, height: 47 });
  });

  it('has no answer for a file that ends early, for CMYK and for a size that is not its own', async () => {
    const bytes = await noise(61, 47, 3).jpeg().toBuffer();
    const header = headerOf(bytes);
    expect(decodeJpeg(bytes.subarray(0, bytes.length - 200), header, 1)).toBeUndefined();
    expect(decodeJpeg(bytes, { ...header, width: 62 }, 1)).toBeUndefined();
    expect(ours(await noise(61, 47, 3).toColourspace('cmyk').jpeg().toBuffer())).toBe('no answer');
    // It is as good as before.
    expect(ours(bytes)).toEqual(await theirs(bytes));
  });

  it('leaves a progressive file of hundreds of scans to the clock of libvips', async () => {
    const bytes = manyScans(await noise(2048, 2048, 3).jpeg({ progressive: true, quality: 1 }).toBuffer(), 400);
    expect(ours(bytes)).toBe('no answer');
    const limits = { ...DEFAULT_IMAGE_LIMITS, timeoutMs: 60_000 };
    expect(await prepareImage(bytes, RECIPE, { limits })).toMatchObject({ ok: expect.any(Boolean) });
  });
});

function ours(bytes: Uint8Array) {
  const header = readJpegHeader(bytes);
  const pixels = header && decodeJpeg(bytes, header, 1);
  return pixels === undefined ? 'no answer' : summary(pixels);
}

async function theirs(bytes: Uint8Array) {
  const decoded = await decodeImage(bytes, 'jpeg', headerOf(bytes), RECIPE, DEFAULT_IMAGE_LIMITS);
  return decoded.ok ? summary(decoded.value) : decoded.failure;
}

function headerOf(bytes: Uint8Array) {
  const header = readJpegHeader(bytes);
  if (header === undefined) throw new Error('a header was expected');
  return header;
}

function summary({ data, ...size }: DecodedPixels) {
  return { ...size, sha256: createHash('sha256').update(data).digest('hex') };
}

function noise(width: number, height: number, channels: 1 | 3) {
  let state = 7;
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return ((i >> 3) + (state >>> 27)) & 255;
  });
  return sharp(data, { raw: { width, height, channels } });
}

/** The last scan of the file, again and again: each time it refines the same coefficients. */
function manyScans(bytes: Uint8Array, count: number): Uint8Array {
  const last = Buffer.from(bytes).lastIndexOf(Buffer.from([0xff, 0xda]));
  const scan = bytes.subarray(last, bytes.length - 2);
  return Buffer.concat([
    bytes.subarray(0, last),
    ...Array.from({ length: count }, () => scan),
    bytes.subarray(bytes.length - 2),
  ]);
}
