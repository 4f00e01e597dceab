// Image bytes to the values a model takes, by the recipe: decode, resize, scale. For workers, methods and the CLI.
import type { SampleErrorCode } from '../../../shared/src/errors.ts';
import type { Recipe } from '../../../shared/src/recipe.ts';
import { DEFAULT_IMAGE_LIMITS, type ImageLimits, type PixelBudget, type PrepareResult } from '../preprocess.ts';
import { applyAlpha } from './alpha.ts';
import { rgbToGray } from './colour.ts';
import { sniffFormat } from './format.ts';
import type { Pixels } from './pixels.ts';
import { openImage } from './read-pixels.ts';
import { resizeToInput } from './resize.ts';
import { findDamage } from './structure.ts';
import { findUnsupportedTiff } from './tiff-tags.ts';
import { toTensor } from './to-tensor.ts';

/** 8-bit pixels [height, width, channels] that somebody else has decoded; a fourth channel is alpha. */
export interface RawPixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
}

export interface PrepareOptions {
  /** @default DEFAULT_IMAGE_LIMITS */
  readonly limits?: ImageLimits | undefined;
  /** @default unbounded */
  readonly budget?: PixelBudget;
  /** Takes the values, as many as the recipe gives; a failed image may leave anything in it. @default an array of its own */
  readonly into?: Float32Array;
}

/** Bytes that are no image end as a failure with a code, whatever they are; this never throws for them. */
export async function prepareImage(
  bytes: Uint8Array,
  recipe: Recipe,
  { limits = DEFAULT_IMAGE_LIMITS, budget, into }: PrepareOptions = {},
): Promise<PrepareResult> {
  if (bytes.length === 0) return failure('empty-file', 'the file has 0 bytes');
  if (bytes.length > limits.maxBytes) {
    return failure('file-too-large', `${bytes.length} bytes are more than ${limits.maxBytes}`);
  }
  const format = sniffFormat(bytes);
  if (format === null) return failure('unsupported-format', 'the bytes are no JPEG, PNG, WebP, GIF, TIFF, AVIF or BMP');
  const damage = findDamage(bytes, format);
  if (damage !== null) return failure('corrupt-image', damage);
  const unsupported = format === 'tiff' ? findUnsupportedTiff(bytes) : null;
  if (unsupported !== null) return failure('unsupported-format', unsupported);
  const opened = await openImage(bytes, format, recipe, limits);
  if (!opened.ok) return opened;
  const giveBack = await budget?.take(opened.value.width * opened.value.height);
  try {
    const read = await opened.value.decode();
    if (!read.ok) return read;
    const { pixels, placement, width, height } = read.value;
    const source = recipe.channels === 'gray' ? toGray(pixels) : pixels;
    const input = placement === null ? source : resizeToInput(source, recipe, placement);
    return { ok: true, image: { values: toTensor(input, recipe, into), width, height } };
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
  const opaque = applyAlpha({ data, width, height, channels }, recipe.alpha);
  const source = recipe.channels === 'gray' ? toGray(opaque) : opaque;
  return { ok: true, image: { values: toTensor(resizeToInput(source, recipe), recipe), width, height } };
}

/** Gray comes before the resize, which rounds to 8 bits: Pillow's convert('L').resize() in that order. */
function toGray({ data, width, height, channels }: Pixels): Pixels {
  return { data: channels === 3 ? rgbToGray(data) : data, width, height, channels: 1 };
}

function failure(code: SampleErrorCode, message: string): PrepareResult {
  return { ok: false, failure: { code, message } };
}
