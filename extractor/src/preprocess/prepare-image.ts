// Image bytes to the values a model takes, by the recipe: decode, resize, scale. For workers, methods and the CLI.
import type { SampleErrorCode, SampleFailure } from '../../../shared/src/errors.ts';
import type { Recipe } from '../../../shared/src/recipe.ts';
import { shapeOfRecipe } from '../../../shared/src/recipe-shape.ts';
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import { DEFAULT_IMAGE_LIMITS, type ImageLimits, type PixelBudget, type PrepareResult } from '../preprocess.ts';
import { applyAlpha } from './alpha.ts';
import { rgbToGray } from './colour.ts';
import { sniffFormat } from './format.ts';
import type { Pixels } from './pixels.ts';
import { type ImageSize, openImage, type ReadPixels } from './read-pixels.ts';
import { resizeToInput } from './resize.ts';
import { findDamage } from './structure.ts';
import { findUnsupportedTiff } from './tiff-tags.ts';
import { toTensor, writeLevels } from './to-tensor.ts';

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
}

/** Bytes that are no image end as a failure with a code, whatever they are; this never throws for them. */
export async function prepareImage(
  bytes: Uint8Array,
  recipe: Recipe,
  options: PrepareOptions = {},
): Promise<PrepareResult> {
  const values = new Float32Array(sizeOfShape(shapeOfRecipe(recipe)));
  const prepared = await prepareInputs(bytes, [{ recipe, into: values }], options);
  return prepared.ok ? { ok: true, image: { values, ...prepared.size } } : prepared;
}

/** One input that is wanted of an image. */
export interface WantedInput {
  readonly recipe: Recipe;
  /**
   * Takes the values, as many as the recipe gives, or the 8-bit levels that they are made of, where `givesLevels`. A failed
   * image may leave anything in it.
   */
  readonly into: Float32Array | Uint8Array;
}

/** The size of the image as decoded, after orientation, before resizing: the values are where they were wanted. */
export type PrepareInputsResult =
  | { readonly ok: true; readonly size: ImageSize }
  | { readonly ok: false; readonly failure: SampleFailure };

/** The same for several recipes: what they read alike is decoded once. */
export async function prepareInputs(
  bytes: Uint8Array,
  wanted: readonly WantedInput[],
  { limits = DEFAULT_IMAGE_LIMITS, budget }: PrepareOptions = {},
): Promise<PrepareInputsResult> {
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
  let size: ImageSize | undefined;
  for (const group of readAlike(wanted)) {
    const opened = await openImage(bytes, format, (group[0] as WantedInput).recipe, limits);
    if (!opened.ok) return opened;
    const giveBack = await budget?.take(opened.value.width * opened.value.height);
    let garbage = true;
    try {
      const read = await opened.value.decode(pixels => {
        for (const input of group) writeInput(pixels, input);
      });
      if (!read.ok) return read;
      garbage = read.value.garbage;
      size ??= { width: read.value.width, height: read.value.height };
    } finally {
      giveBack?.(garbage);
    }
  }
  if (size === undefined) throw new Error('Expected at least one wanted input');
  return { ok: true, size };
}

/** Groups of what one decoding serves: only a fast one depends on where the image goes. */
function readAlike(wanted: readonly WantedInput[]): readonly (readonly WantedInput[])[] {
  if (wanted.length < 2) return [wanted];
  const groups = new Map<string, WantedInput[]>();
  for (const input of wanted) {
    const { exif, alpha, quality, width, height, crop, resize } = input.recipe;
    const key = JSON.stringify([exif, alpha, ...(quality === 'fast' ? [width, height, crop, resize] : [])]);
    groups.set(key, [...(groups.get(key) ?? []), input]);
  }
  return [...groups.values()];
}

function writeInput({ pixels, placement }: ReadPixels, { recipe, into }: WantedInput): void {
  const source = recipe.channels === 'gray' ? toGray(pixels) : pixels;
  const resized = placement === 'done' ? source : resizeToInput(source, recipe, placement);
  if (into instanceof Uint8Array) writeLevels(resized, recipe, into);
  else toTensor(resized, recipe, into);
}

/** The same from pixels on. */
export function prepareRaw(pixels: RawPixels, recipe: Recipe): PrepareResult {
  const { data, width, height, channels } = pixels;
  const expected = width * height * channels;
  if (data.length !== expected || expected === 0) {
    return failure('corrupt-image', `${data.length} bytes are not ${width}x${height} pixels of ${channels} channels`);
  }
  const opaque = applyAlpha({ data, width, height, channels }, recipe.alpha);
  const values = new Float32Array(sizeOfShape(shapeOfRecipe(recipe)));
  writeInput({ pixels: opaque, width, height }, { recipe, into: values });
  return { ok: true, image: { values, width, height } };
}

/** Gray comes before the resize, which rounds to 8 bits: Pillow's convert('L').resize() in that order. */
function toGray({ data, width, height, channels }: Pixels): Pixels {
  return { data: channels === 3 ? rgbToGray(data) : data, width, height, channels: 1 };
}

function failure(code: SampleErrorCode, message: string): { readonly ok: false; readonly failure: SampleFailure } {
  return { ok: false, failure: { code, message } };
}
