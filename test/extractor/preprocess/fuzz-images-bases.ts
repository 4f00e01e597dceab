// The whole images that the image fuzz damages: small ones of every way to code a format, and real ones where they are.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { haveImages, IMAGES, listImages } from './images.ts';

export const IMAGE_FORMATS = ['jpeg', 'png', 'webp', 'gif'] as const;
export type FuzzedFormat = (typeof IMAGE_FORMATS)[number];

export interface ImageBase {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const WAYS: Readonly<Record<FuzzedFormat, Readonly<Record<string, (image: Sharp) => Sharp>>>> = {
  jpeg: {
    baseline: image => image.jpeg({ quality: 80 }),
    'full chroma': image => image.jpeg({ chromaSubsampling: '4:4:4' }),
    progressive: image => image.jpeg({ progressive: true }),
    grey: image => image.toColourspace('b-w').jpeg(),
    cmyk: image => image.toColourspace('cmyk').jpeg(),
  },
  png: {
    rgb: image => image.png(),
    alpha: image => image.ensureAlpha(0.5).png(),
    interlaced: image => image.png({ progressive: true }),
    palette: image => image.png({ palette: true, colours: 16 }),
    '16 bits': image => image.toColourspace('rgb16').png(),
    grey: image => image.toColourspace('b-w').png(),
  },
  webp: {
    lossy: image => image.webp(),
    lossless: image => image.webp({ lossless: true }),
    alpha: image => image.ensureAlpha(0.5).webp(),
  },
  gif: {
    palette: image => image.gif(),
    'two colours': image => image.gif({ colours: 2 }),
    interlaced: image => image.gif({ progressive: true }),
  },
};

const REAL = {
  jpeg: ['oddities', /\.jpe?g$/],
  png: ['pngsuite', /\.png$/],
  webp: ['oddities', /\.webp$/],
  gif: ['oddities', /\.gif$/],
} as const;
/** A large file would be damaged where nobody looks, and takes long. */
const REAL_BYTES = 60_000;

export async function imageBases(format: FuzzedFormat): Promise<readonly ImageBase[]> {
  const bases: ImageBase[] = [];
  for (const [name, encode] of Object.entries(WAYS[format])) {
    bases.push({ name, bytes: await encode(picture()).toBuffer() });
  }
  const [folder, pattern] = REAL[format];
  for (const path of haveImages ? (await listImages(folder)).filter(name => pattern.test(name)) : []) {
    const bytes = await readFile(join(IMAGES, path));
    if (bytes.length <= REAL_BYTES) bases.push({ name: path, bytes });
  }
  return bases;
}

/** Edges and smooth parts, odd sides. */
function picture(): Sharp {
  const [width, height] = [61, 47];
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return (x * 4 + y * (i % 3) * 2 + ((x >> 3) + (y >> 3)) * 60) & 255;
  });
  return sharp(data, { raw: { width, height, channels: 3 } });
}
