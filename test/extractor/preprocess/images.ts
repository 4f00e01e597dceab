// Small images made byte by byte, so that tests say what is in them, and where the borrowed ones are.
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32, deflateSync } from 'node:zlib';
import type { Pixels } from '../../../extractor/src/preprocess/pixels.ts';

/** PNG colour types. */
const COLOUR_TYPES = { gray: 0, rgb: 2, grayAlpha: 4, rgba: 6 } as const;
const CHANNELS = { gray: 1, rgb: 3, grayAlpha: 2, rgba: 4 } as const;

export interface PngOptions {
  readonly width: number;
  readonly height: number;
  readonly colour: keyof typeof COLOUR_TYPES;
  /** @default 8 */
  readonly depth?: 8 | 16;
  /** Samples in row order, at least as many as the image needs unless it is meant to be truncated. */
  readonly samples: readonly number[];
  /** EXIF orientation, 1 to 8. */
  readonly orientation?: number;
}

export function makePng(options: PngOptions): Uint8Array {
  const { width, height, colour, depth = 8, samples, orientation } = options;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = depth;
  header[9] = COLOUR_TYPES[colour];
  const perRow = width * CHANNELS[colour];
  const rows = Array.from({ length: Math.floor(samples.length / perRow) }, (_, y) => {
    const row = samples.slice(y * perRow, (y + 1) * perRow);
    return Buffer.from([0, ...row.flatMap(sample => (depth === 16 ? [sample >> 8, sample & 255] : [sample]))]);
  });
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    pngChunk('IHDR', header),
    ...(orientation === undefined ? [] : [pngChunk('eXIf', exifOrientation(orientation))]),
    pngChunk('IDAT', deflateSync(Buffer.concat(rows))),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

function pngChunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(data.length, 0);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return chunk;
}

/** A TIFF header with one entry: tag 0x0112, type SHORT, count 1. */
function exifOrientation(orientation: number): Buffer {
  return Buffer.from(
    `4d4d002a00000008000101120003000000010${orientation.toString(16).padStart(3, '0')}000000000000`,
    'hex',
  );
}

/** The generator of make_resize_goldens.py, step for step. */
export function synthetic(width: number, height: number, channels: 1 | 3): Pixels {
  let state = (width * 1000003 + height * 1009 + channels) >>> 0;
  const data = new Uint8Array(width * height * channels);
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const value = state >>> 24;
    data[i] = value < 40 ? 0 : value > 215 ? 255 : value;
  }
  return { data, width, height, channels };
}

/** Where the borrowed images are: beside the checkout, not part of it. */
export const IMAGES = fileURLToPath(new URL('../../../../shared/data/images/', import.meta.url));
export const haveImages = existsSync(IMAGES);
export const whyNoImages = haveImages ? '' : ` (skipped: no ${IMAGES})`;

/** Paths below IMAGES, sorted. */
export async function listImages(folder: string): Promise<readonly string[]> {
  const entries = await readdir(join(IMAGES, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(IMAGES.length))
    .sort();
}
