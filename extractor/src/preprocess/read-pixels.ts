// Reads the header and then the pixels of an image file with the reader of its format: for prepare-image.ts.
import type { Recipe } from '../../../shared/src/recipe.ts';
import type { ImageLimits } from '../preprocess.ts';
import { applyAlpha } from './alpha.ts';
import { decodeBmp, readBmpHeader } from './bmp.ts';
import { type Placement, placeInput } from './crop.ts';
import { decodeImage, type ImageHeader, readHeader } from './decode.ts';
import { decodeToInput, isFasterFor, shrinkFor } from './fast.ts';
import type { ImageFormat } from './format.ts';
import { decodeGif, findFirstFrame } from './gif.ts';
import { hasExif, readJpegHeader } from './jpeg-segments.ts';
import { decodeJpeg } from './jpeg-turbo.ts';
import type { DecodedPixels, Pixels } from './pixels.ts';
import type { ReadResult } from './read-result.ts';
import { isScratch, withScratch } from './scratch.ts';

/** An image whose header has been read and found within the limits, still to be decoded. */
export interface OpenImage {
  readonly width: number;
  readonly height: number;
  /** The pixels are `use`'s until it returns: their memory then serves the next image. */
  decode(use: UsePixels): Promise<ReadResult<UsedImage>>;
}

type UsePixels = (pixels: ReadPixels) => void;

/** Of the whole image, after orientation. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

export interface UsedImage extends ImageSize {
  /** Whether the memory of its pixels is, and does not serve the next image. */
  readonly garbage: boolean;
}

/** Its size is that of the pixels, unless they were made smaller on the way. */
export interface ReadPixels extends ImageSize {
  readonly pixels: Pixels;
  /**
   * Where the model's input lies in pixels that were made smaller on the way; 'done' where they are the input already;
   * undefined for whole pixels, in which each recipe finds its own.
   */
  readonly placement?: Placement | 'done';
}

/** Reads no more than the header, so that an image that claims to be huge is refused before it has cost anything. */
export async function openImage(
  bytes: Uint8Array,
  format: ImageFormat,
  recipe: Recipe,
  limits: ImageLimits,
): Promise<ReadResult<OpenImage>> {
  if (format === 'bmp') {
    return opened(readBmpHeader(bytes), limits, async (header, use) =>
      hand(wholeOf(decodeBmp(bytes, header), recipe), use),
    );
  }
  if (format === 'gif') {
    return opened(findFirstFrame(bytes), limits, async (frame, use) =>
      hand(wholeOf(decodeGif(bytes, frame), recipe), use),
    );
  }
  return opened(await headerOf(bytes, format, recipe), limits, async (header, use) => {
    const direct = format === 'jpeg' ? useJpeg(bytes, header, recipe, use) : undefined;
    if (direct !== undefined) return direct;
    const read =
      recipe.quality === 'fast' && isFasterFor(format, header, recipe)
        ? await decodeToInput(bytes, format, header, recipe, limits)
        : wholeOf(await decodeImage(bytes, format, header, recipe, limits), recipe);
    return hand(read, use);
  });
}

/** Decodes into the memory that the resize uses as well. Undefined where `readJpeg` gives nothing. */
function useJpeg(
  bytes: Uint8Array,
  header: ImageHeader,
  recipe: Recipe,
  use: UsePixels,
): ReadResult<UsedImage> | undefined {
  return withScratch(() => {
    const value = readJpeg(bytes, header, recipe);
    return value && hand({ ok: true, value }, use);
  });
}

function hand(read: ReadResult<ReadPixels>, use: UsePixels): ReadResult<UsedImage> {
  if (!read.ok) return read;
  const { value } = read;
  withScratch(() => use(value));
  return { ok: true, value: { width: value.width, height: value.height, garbage: !isScratch(value.pixels.data) } };
}

/** Undefined where it takes libvips: to turn the image, for a file that is out of the ordinary, or for want of a library. */
function readJpeg(bytes: Uint8Array, header: ImageHeader, recipe: Recipe): ReadPixels | undefined {
  if (recipe.exif === 'apply' && hasExif(bytes)) return undefined;
  const { width, height } = header;
  const placement = placeInput(width, height, recipe);
  const pixels = decodeJpeg(bytes, header, recipe.quality === 'fast' ? shrinkFor(header, placement) : 1);
  if (pixels === undefined) return undefined;
  if (pixels.width === width && pixels.height === height) return { pixels, width, height };
  const source = { left: 0, top: 0, width: pixels.width, height: pixels.height };
  return { pixels, placement: { ...placement, source }, width, height };
}

async function headerOf(bytes: Uint8Array, format: ImageFormat, recipe: Recipe): Promise<ReadResult<ImageHeader>> {
  // Only fast decoding asks for the size after orientation.
  const isEnough = format === 'jpeg' && !(recipe.quality === 'fast' && recipe.exif === 'apply');
  const header = isEnough ? readJpegHeader(bytes) : undefined;
  return header === undefined ? readHeader(bytes, format) : { ok: true, value: header };
}

function opened<Header extends { readonly width: number; readonly height: number }>(
  read: ReadResult<Header>,
  limits: ImageLimits,
  decode: (header: Header, use: UsePixels) => Promise<ReadResult<UsedImage>>,
): ReadResult<OpenImage> {
  if (!read.ok) return read;
  const { width, height } = read.value;
  if (Math.max(width, height) > limits.maxSide) {
    return tooLarge(`${width}x${height} has a side of more than ${limits.maxSide} pixels`);
  }
  if (width * height > limits.maxPixels) {
    return tooLarge(`${width}x${height} is more than ${limits.maxPixels} pixels`);
  }
  return { ok: true, value: { width, height, decode: use => decode(read.value, use) } };
}

function wholeOf(decoded: ReadResult<DecodedPixels>, recipe: Recipe): ReadResult<ReadPixels> {
  if (!decoded.ok) return decoded;
  const pixels = applyAlpha(decoded.value, recipe.alpha);
  const { width, height } = pixels;
  return { ok: true, value: { pixels, width, height } };
}

function tooLarge(message: string): ReadResult<OpenImage> {
  return { ok: false, failure: { code: 'image-too-large', message } };
}
