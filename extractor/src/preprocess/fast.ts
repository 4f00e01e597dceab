// Fast decoding: how far a decoder may shrink a picture, and libvips' own way where there is no better one. For read-pixels.ts.
import type { Recipe, ResizeKernel } from '../../../shared/src/recipe.ts';
import type { ImageLimits } from '../preprocess.ts';
import { type Placement, placeInput, planResize } from './crop.ts';
import { padPixels } from './cut.ts';
import { type ImageHeader, runPipeline, toPixels } from './decode.ts';
import type { ImageFormat } from './format.ts';
import type { JpegShrink } from './jpeg-turbo.ts';
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
 * What the recipe's own resize must still shrink: a decoder's coarse halving then differs from the exact picture by 0.1 to 0.6
 * levels on average. At 1.5 it differs by 0.4 to 1.8 and takes no tenth less time.
 */
const LEFT_TO_RESIZE = 2;

/**
 * The least shrinking at which libvips is faster than decoding whole and resizing exactly: it then decodes fewer pixels. It
 * halves a JPEG while decoding; a WebP it scales by any factor. Other formats it decodes whole in any case, and its own
 * resize is the slower one.
 */
const LEAST_SHRINKING: Partial<Record<ImageFormat, number>> = {
  jpeg: 2 * LEFT_TO_RESIZE,
  webp: 1.25,
};

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

/** How far libjpeg-turbo may shrink the picture while it decodes it; what is cut before the resize is decoded whole. */
export function shrinkFor({ width, height }: ImageHeader, { source, resized }: Placement): JpegShrink {
  if (source.width !== width || source.height !== height) return 1;
  const shrinking = Math.min(width / resized.width, height / resized.height);
  return ([8, 4, 2] as const).find(shrink => shrinking >= shrink * LEFT_TO_RESIZE) ?? 1;
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
  return { ok: true, value: { pixels, width, height, placement: 'done' } };
}

function opaque({ data, width, height, channels }: DecodedPixels): Pixels {
  if (channels !== 1 && channels !== 3) throw new Error(`Expected 1 or 3 channels but the decoder gave ${channels}`);
  return { data, width, height, channels };
}
