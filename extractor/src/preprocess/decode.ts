// Decodes image bytes to 8-bit pixels equal to Pillow's open().convert('RGB'), for prepare-image.ts. Owns sharp.
import { performance } from 'node:perf_hooks';
import sharp, { type OutputInfo, type Sharp } from 'sharp';
import type { SampleFailure } from '../../../shared/src/errors.ts';
import type { Recipe } from '../../../shared/src/recipe.ts';
import type { ImageLimits } from '../preprocess.ts';
import { clipWide, cmykToRgb } from './colour.ts';
import type { ImageFormat } from './format.ts';
import type { Pixels } from './pixels.ts';

/** What the header of an image claims. */
export interface ImageHeader {
  readonly width: number;
  readonly height: number;
  /** libvips' name of the colour space. */
  readonly space: string;
}

export type HeaderResult =
  | { readonly ok: true; readonly header: ImageHeader }
  | { readonly ok: false; readonly failure: SampleFailure };

export type DecodeResult =
  | { readonly ok: true; readonly pixels: Pixels }
  | { readonly ok: false; readonly failure: SampleFailure };

// One thread an image: a worker decodes several images at once, which scales better than several threads on one.
sharp.concurrency(1);
// libvips would keep whole decoded images for a second operation on them that never comes.
sharp.cache(false);

/** Reads the header only, so an image that claims to be huge is refused before it has cost anything. */
export async function readHeader(bytes: Uint8Array, format: ImageFormat, limits: ImageLimits): Promise<HeaderResult> {
  try {
    const options = { failOn: failureLevel(format), limitInputPixels: false } as const;
    const { width, height, space } = await sharp(bytes, options).metadata();
    if (Math.max(width, height) > limits.maxSide) {
      return tooLarge(`${width}x${height} has a side of more than ${limits.maxSide} pixels`);
    }
    if (width * height > limits.maxPixels) {
      return tooLarge(`${width}x${height} is more than ${limits.maxPixels} pixels`);
    }
    return { ok: true, header: { width, height, space } };
  } catch {
    return corrupt(`the header of the ${format} file cannot be read`);
  }
}

/** The pixels of the first frame: 3 channels, or 1 where the file has no colour; alpha is dropped. */
export async function decodeImage(
  bytes: Uint8Array,
  format: ImageFormat,
  { space }: ImageHeader,
  exif: Recipe['exif'],
  limits: ImageLimits,
): Promise<DecodeResult> {
  const started = performance.now();
  const timeoutSeconds = Math.max(1, Math.ceil(limits.timeoutMs / 1000));
  try {
    // Pillow turns a TIFF as its tag says whatever one asks for, and no other format.
    const autoOrient = exif === 'apply' || format === 'tiff';
    const limitInputPixels = limits.maxPixels;
    const options = { failOn: failureLevel(format), ignoreIcc: true, autoOrient, limitInputPixels } as const;
    const image = sharp(bytes, options).timeout({ seconds: timeoutSeconds });
    return { ok: true, pixels: await readPixels(image, isGrayAlphaPng(bytes, format) ? 'rgb16' : space) };
  } catch {
    // A decoder that libvips interrupts may give any reason, such as a bad seek for AVIF: the clock knows better.
    if (performance.now() - started >= timeoutSeconds * 1000) return timedOut(timeoutSeconds);
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
async function readPixels(image: Sharp, space: string): Promise<Pixels> {
  switch (space) {
    case 'cmyk': {
      const { data, info } = await raw(image.pipelineColourspace('cmyk').toColourspace('cmyk'));
      return { data: cmykToRgb(data, info.channels), width: info.width, height: info.height, channels: 3 };
    }
    case 'grey16': {
      const wide = image.removeAlpha().toColourspace('grey16').raw({ depth: 'ushort' });
      const { data, info } = await wide.toBuffer({ resolveWithObject: true });
      return { data: clipWide(data), width: info.width, height: info.height, channels: 1 };
    }
    case 'b-w':
      return toPixels(await raw(image.removeAlpha().toColourspace('b-w')));
    default:
      return toPixels(await raw(image.removeAlpha()));
  }
}

/** Pillow opens 16-bit grey with alpha as 8-bit RGBA by the high byte, and without it as "I;16": colour type 4 tells. */
function isGrayAlphaPng(bytes: Uint8Array, format: ImageFormat): boolean {
  return format === 'png' && bytes[25] === 4 && bytes[24] === 16;
}

function raw(image: Sharp): Promise<{ data: Buffer; info: OutputInfo }> {
  return image.raw().toBuffer({ resolveWithObject: true });
}

function toPixels({ data, info }: { data: Buffer; info: OutputInfo }): Pixels {
  const { width, height, channels } = info;
  if (channels !== 1 && channels !== 3) throw new Error(`Expected 1 or 3 channels but the decoder gave ${channels}`);
  return { data, width, height, channels };
}

function tooLarge(message: string): HeaderResult {
  return { ok: false, failure: { code: 'image-too-large', message } };
}

function timedOut(seconds: number): DecodeResult {
  return { ok: false, failure: { code: 'decode-timeout', message: `not decoded within ${seconds} s` } };
}

/**
 * Our own words: libvips collects its messages in one place for the whole process, so what a decoder says of this image
 * may be about another one that failed at the same moment, and would differ from run to run.
 */
function corrupt(message: string): { readonly ok: false; readonly failure: SampleFailure } {
  return { ok: false, failure: { code: 'corrupt-image', message } };
}
