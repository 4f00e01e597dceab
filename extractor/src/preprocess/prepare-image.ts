// Image bytes to the values a model takes, by the recipe: decode, resize, scale. For workers, methods and the CLI.
import type { SampleErrorCode } from '../../../shared/src/errors.ts';
import type { Recipe } from '../../../shared/src/recipe.ts';
import { DEFAULT_IMAGE_LIMITS, type ImageLimits, type PixelBudget, type PrepareResult } from '../preprocess.ts';
import { dropAlpha, rgbToGray } from './colour.ts';
import { decodeImage, readHeader } from './decode.ts';
import { sniffFormat } from './format.ts';
import type { Pixels } from './pixels.ts';
import { resizeToInput } from './resize.ts';
import { findDamage } from './structure.ts';
import { toTensor } from './to-tensor.ts';

/** 8-bit pixels [height, width, channels] that somebody else has decoded; a fourth channel is alpha. */
export interface RawPixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
}

/** Bytes that are no image end as a failure with a code, whatever they are; this never throws for them. */
export async function prepareImage(
  bytes: Uint8Array,
  recipe: Recipe,
  limits: ImageLimits = DEFAULT_IMAGE_LIMITS,
  budget?: PixelBudget,
): Promise<PrepareResult> {
  if (bytes.length === 0) return failure('empty-file', 'the file has 0 bytes');
  if (bytes.length > limits.maxBytes) {
    return failure('file-too-large', `${bytes.length} bytes are more than ${limits.maxBytes}`);
  }
  const format = sniffFormat(bytes);
  if (format === null) return failure('unsupported-format', 'the bytes are no JPEG, PNG, WebP, GIF, TIFF or AVIF');
  const damage = findDamage(bytes, format);
  if (damage !== null) return failure('corrupt-image', damage);
  const read = await readHeader(bytes, format, limits);
  if (!read.ok) return read;
  const giveBack = await budget?.take(read.header.width * read.header.height);
  try {
    const decoded = await decodeImage(bytes, format, read.header, recipe.exif, limits);
    return decoded.ok ? preparePixels(decoded.pixels, recipe) : decoded;
  } finally {
    giveBack?.();
  }
}

/** The same from pixels on. */
export function prepareRaw(pixels: RawPixels, recipe: Recipe): PrepareResult {
  const { data, width, height, channels } = pixels;
  const expected = width * height * channels;
  if (data.length !== expected || expected === 0) {
    return failure('corrupt-image', `${data.length} bytes are not ${width}x${height} pixels of ${channels} channels`);
  }
  if (channels === 4) return preparePixels({ data: dropAlpha(data), width, height, channels: 3 }, recipe);
  return preparePixels({ data, width, height, channels }, recipe);
}

/** Gray comes before the resize, which rounds to 8 bits: Pillow's convert('L').resize() in that order. */
function preparePixels(pixels: Pixels, recipe: Recipe): PrepareResult {
  const { width, height } = pixels;
  const gray = recipe.channels === 'gray' && pixels.channels === 3;
  const source: Pixels = gray ? { data: rgbToGray(pixels.data), width, height, channels: 1 } : pixels;
  return { ok: true, image: { values: toTensor(resizeToInput(source, recipe), recipe), width, height } };
}

function failure(code: SampleErrorCode, message: string): PrepareResult {
  return { ok: false, failure: { code, message } };
}
