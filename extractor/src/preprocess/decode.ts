// Decodes image bytes to 8-bit pixels equal to Pillow's, through libvips, for read-pixels.ts and fast.ts. Owns sharp.
import { performance } from 'node:perf_hooks';
// biome-ignore lint/style/noRestrictedImports: this is the one file that may.
import sharp, { type OutputInfo, type Sharp } from 'sharp';
import type { Recipe } from '../../../shared/src/recipe.ts';
import type { ImageLimits } from '../preprocess.ts';
import { clipWide, cmykToRgb } from './colour.ts';
import type { ImageFormat } from './format.ts';
import { jpegTurboVersion } from './jpeg-turbo.ts';
import type { DecodedPixels } from './pixels.ts';
import { corrupt, type ReadResult } from './read-result.ts';

/** What the header of an image claims. */
export interface ImageHeader {
  readonly width: number;
  readonly height: number;
  /** The size once the EXIF orientation is applied. */
  readonly oriented: { readonly width: number; readonly height: number };
  /** libvips' name of the colour space. */
  readonly space: string;
  readonly hasAlpha: boolean;
}

// One thread an image: a worker decodes several images at once, which scales better than several threads on one.
sharp.concurrency(1);
// libvips would keep whole decoded images for a second operation on them that never comes.
sharp.cache(false);

/** Versions of sharp, libvips and its codecs, and of libjpeg-turbo's package, by name: what decides the decoded pixels, for a file's metadata. */
export function decoderVersions(): Readonly<Record<string, string>> {
  const versions = Object.entries(sharp.versions).filter(([name]) => DECIDING.has(name));
  const turbo = jpegTurboVersion();
  return Object.fromEntries(turbo === undefined ? versions : [...versions, ['jpeg-turbo', turbo]]);
}

const DECIDING = new Set(['sharp', 'vips', 'mozjpeg', 'png', 'webp', 'tiff', 'heif', 'aom', 'zlib-ng']);

/** Reads the header only. */
export async function readHeader(bytes: Uint8Array, format: ImageFormat): Promise<ReadResult<ImageHeader>> {
  try {
    const image = sharp(bytes, { failOn: failureLevel(format), limitInputPixels: false });
    const { width, height, space, hasAlpha, autoOrient } = await image.metadata();
    return { ok: true, value: { width, height, oriented: autoOrient, space, hasAlpha } };
  } catch {
    return corrupt(`the header of the ${format} file cannot be read`);
  }
}

/**
 * The pixels of the first frame: colour or grey, with alpha where the file has it and the recipe asks for it.
 * They equal Pillow 13's but for AVIF with halved chroma (4:2:0, most of them): libheif brings the chroma back to size by
 * its own filter, libavif by another, and libvips lets nobody choose. 16-bit grey is cut off at 255, as Pillow's
 * "I;16" is, and always opaque. Measured on a photo: 4:2:0 differs by 0.4 levels on average and 15 at most, 4:4:4 by 1 at most.
 */
export async function decodeImage(
  bytes: Uint8Array,
  format: ImageFormat,
  header: ImageHeader,
  recipe: Recipe,
  limits: ImageLimits,
): Promise<ReadResult<DecodedPixels>> {
  const keepAlpha = header.hasAlpha && recipe.alpha !== 'drop';
  const space = spaceToRead(bytes, format, header, keepAlpha);
  return runPipeline(bytes, format, recipe, limits, image =>
    readPixels(keepAlpha ? image : image.removeAlpha(), space),
  );
}

function spaceToRead(bytes: Uint8Array, format: ImageFormat, header: ImageHeader, keepAlpha: boolean): string {
  // Pillow opens 16-bit grey with alpha as 8-bit RGBA by the high byte.
  if (isGrayAlphaPng(bytes, format)) return 'rgb16';
  // Grey pixels would come without their alpha, but repeated as colour they keep it.
  return keepAlpha && header.space === 'b-w' ? 'srgb' : header.space;
}

/** Opens the bytes for `read`, and turns whatever the decoder says into a failure. */
export async function runPipeline(
  bytes: Uint8Array,
  format: ImageFormat,
  { exif }: Recipe,
  limits: ImageLimits,
  read: (image: Sharp) => Promise<DecodedPixels>,
): Promise<ReadResult<DecodedPixels>> {
  const started = performance.now();
  const seconds = Math.max(1, Math.ceil(limits.timeoutMs / 1000));
  try {
    // Pillow turns a TIFF as its tag says whatever one asks for, and no other format.
    const autoOrient = exif === 'apply' || format === 'tiff';
    const limitInputPixels = limits.maxPixels;
    const options = { failOn: failureLevel(format), ignoreIcc: true, autoOrient, limitInputPixels } as const;
    return { ok: true, value: await read(sharp(bytes, options).timeout({ seconds })) };
  } catch {
    // A decoder that libvips interrupts may give any reason, such as a bad seek for AVIF: the clock knows better.
    if (performance.now() - started >= seconds * 1000) {
      return { ok: false, failure: { code: 'decode-timeout', message: `not decoded within ${seconds} s` } };
    }
    // Our own words: libvips collects its messages in one place for the whole process, so what a decoder says of this
    // image may be about another one that failed at the same moment, and would differ from run to run.
    return corrupt(`the pixels of the ${format} file are damaged or end early`);
  }
}

/**
 * What Pillow raises as well. 'warning' would refuse photos that every decoder shows; 'error' would refuse PNGs for
 * checksums that Pillow skips, but without it a TIFF with an unsupported compression comes out black.
 */
function failureLevel(format: ImageFormat): 'truncated' | 'error' {
  return format === 'tiff' ? 'error' : 'truncated';
}

/** libvips' colour space of the file decides how to get at Pillow's numbers without its colour management. */
async function readPixels(image: Sharp, space: string): Promise<DecodedPixels> {
  switch (space) {
    case 'cmyk': {
      const { data, info } = await raw(image.removeAlpha().pipelineColourspace('cmyk').toColourspace('cmyk'));
      return { data: cmykToRgb(data, info.channels), width: info.width, height: info.height, channels: 3 };
    }
    case 'grey16': {
      const wide = image.removeAlpha().toColourspace('grey16').raw({ depth: 'ushort' });
      const { data, info } = await wide.toBuffer({ resolveWithObject: true });
      return { data: clipWide(data), width: info.width, height: info.height, channels: 1 };
    }
    case 'b-w':
      return toPixels(await raw(image.toColourspace('b-w')));
    default:
      return toPixels(await raw(image));
  }
}

/** Colour type 4 of 16 bits. */
function isGrayAlphaPng(bytes: Uint8Array, format: ImageFormat): boolean {
  return format === 'png' && bytes[25] === 4 && bytes[24] === 16;
}

function raw(image: Sharp): Promise<{ data: Buffer; info: OutputInfo }> {
  return image.raw().toBuffer({ resolveWithObject: true });
}

export function toPixels({ data, info }: { data: Buffer; info: OutputInfo }): DecodedPixels {
  const { width, height, channels } = info;
  if (channels > 4) throw new Error(`Expected 1 to 4 channels but the decoder gave ${channels}`);
  return { data, width, height, channels };
}
