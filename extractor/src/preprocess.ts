// The preprocessing contract: image bytes to one input sample, by the recipe. Implementation stands in preprocess/.
import type { SampleFailure } from '../../shared/src/errors.ts';

/** Bounds for one image; a sample beyond them is a failed row, not a dead worker. */
export interface ImageLimits {
  /** @default 512 MiB */
  readonly maxBytes: number;
  /** Decoded pixels, width × height. @default 178956970 (beyond it Pillow refuses an image as a decompression bomb) */
  readonly maxPixels: number;
  /** Pixels of the longer side. @default 65535 (JPEG's own bound; the tables of a resize grow with the side, not the area) */
  readonly maxSide: number;
  /** @default 30_000 */
  readonly timeoutMs: number;
}

export const DEFAULT_IMAGE_LIMITS: ImageLimits = {
  maxBytes: 512 * 1024 * 1024,
  maxPixels: 178_956_970,
  maxSide: 65_535,
  timeoutMs: 30_000,
};

/** Bounds the decoded pixels of all images in work at a time; without one they are unbounded. */
export interface PixelBudget {
  /**
   * Waits until so many pixels may be decoded; the function returned gives them back, once.
   * @param garbage whether their memory is, and not in use again
   */
  take(pixels: number): Promise<(garbage: boolean) => void>;
}

/** One image as the model wants it. */
export interface PreparedImage {
  /** Input values [height, width, channels], row-major. */
  readonly values: Float32Array;
  /** Size of the image as decoded, after orientation, before resizing. */
  readonly width: number;
  readonly height: number;
}

export type PrepareResult =
  | { readonly ok: true; readonly image: PreparedImage }
  | { readonly ok: false; readonly failure: SampleFailure };
