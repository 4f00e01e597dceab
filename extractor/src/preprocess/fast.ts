// Fast decoding: libvips shrinks while it decodes and resizes with its own kernels. For read-pixels.ts, where a recipe asks.
import type { Recipe, ResizeKernel } from '../../../shared/src/recipe.ts';
import type { ImageLimits } from '../preprocess.ts';
import { placeInput, planResize } from './crop.ts';
import { padPixels } from './cut.ts';
import { type ImageHeader, runPipeline, toPixels } from './decode.ts';
import type { ImageFormat } from './format.ts';
import type { DecodedPixels, Pixels } from './pixels.ts';
import type { ReadPixels } from './read-pixels.ts';
import type { ReadResult } from './read-result.ts';

/**
 * libvips' kernel nearest to each: all of its kernels but nearest count every pixel (antialias), so a `tf:` kernel without
 * antialias differs more than the others.
 */
const KERNELS = {
  'pillow:nearest': 'nearest',
  'pillow:box': 'linear',
  'pillow:bilinear': 'linear',
  'pillow:bicubic': 'cubic',
  'pillow:lanczos': 'lanczos3',
  'tf:nearest': 'nearest',
  'tf:area': 'linear',
  'tf:bilinear': 'linear',
  'tf:bicubic': 'cubic',
  'tf:lanczos3': 'lanczos3',
  'tf:bilinear+antialias': 'linear',
  'tf:bicubic+antialias': 'cubic',
  'tf:lanczos3+antialias': 'lanczos3',
} as const satisfies Record<ResizeKernel, string>;

/**
 * The least shrinking at which libvips is faster than decoding whole and resizing exactly: it then decodes fewer pixels.
 * From 3 on it halves a JPEG while decoding; a WebP it scales by any factor. Other formats it decodes whole in any case,
 * and its own resize is the slower one.
 */
const LEAST_SHRINKING: Partial<Record<ImageFormat, number>> = { jpeg: 3, webp: 1.25 };

/**
 * Where libvips has a faster way to nearly the same picture. Transparency would be premultiplied before the resize, and CMYK
 * and 16-bit grey need Pillow's formulas on whole pixels: these are decoded exactly, whatever the recipe says.
 */
export function isFasterFor(format: ImageFormat, header: ImageHeader, recipe: Recipe): boolean {
  const least = LEAST_SHRINKING[format];
  // What is cut before the resize must be decoded whole.
  if (least === undefined || recipe.crop.kind === 'aspect') return false;
  if (header.hasAlpha || (header.space !== 'srgb' && header.space !== 'b-w')) return false;
  const { width, height } = recipe.exif === 'apply' ? header.oriented : header;
  const { resized } = placeInput(width, height, recipe);
  return Math.min(width / resized.width, height / resized.height) >= least;
}

/** The model's input itself, cropped and padded: nothing is left to resize. */
export async function decodeToInput(
  bytes: Uint8Array,
  format: ImageFormat,
  header: ImageHeader,
  recipe: Recipe,
  limits: ImageLimits,
): Promise<ReadResult<ReadPixels>> {
  const { width, height } = recipe.exif === 'apply' ? header.oriented : header;
  const placement = placeInput(width, height, recipe);
  const { across, down, filled } = planResize(width, height, placement, recipe);
  const decoded = await runPipeline(bytes, format, recipe, limits, async image => {
    const small = image.resize({ ...placement.resized, fit: 'fill', kernel: KERNELS[recipe.resize] });
    const cut = small.extract({ left: across.from, top: down.from, width: across.count, height: down.count });
    const grey = header.space === 'b-w' ? cut.toColourspace('b-w') : cut;
    return toPixels(await grey.raw().toBuffer({ resolveWithObject: true }));
  });
  if (!decoded.ok) return decoded;
  const pixels = padPixels(opaque(decoded.value), filled) as Pixels;
  return { ok: true, value: { pixels, width, height, isInput: true } };
}

function opaque({ data, width, height, channels }: DecodedPixels): Pixels {
  if (channels !== 1 && channels !== 3) throw new Error(`Expected 1 or 3 channels but the decoder gave ${channels}`);
  return { data, width, height, channels };
}
