// The preprocessing contract: image bytes to one input sample, by the recipe. Implementation stands in preprocess/.
import type { SampleFailure } from '../../shared/src/errors.ts';

/** Bounds for one image; a sample beyond them is a failed row, not a dead worker. */
export interface ImageLimits {
  /** @default 512 MiB */
  readonly maxBytes: number;
  /** Decoded pixels, width × height. @default 268402689 (16383 squared, sharp's own bound) */
  readonly maxPixels: number;
  /** @default 30_000 */
  readonly timeoutMs: number;
}

export const DEFAULT_IMAGE_LIMITS: ImageLimits = {
  maxBytes: 512 * 1024 * 1024,
  maxPixels: 268_402_689,
  timeoutMs: 30_000,
};

/** One image as the model wants it. */
export interface PreparedImage {
  /** Input values [height, width, channels], row-major, in a buffer of their own (so that it can be transferred). */
  readonly values: Float32Array<ArrayBuffer>;
  /** Size of the image as decoded, after orientation, before resizing. */
  readonly width: number;
  readonly height: number;
}

export type PrepareResult =
  | { readonly ok: true; readonly image: PreparedImage }
  | { readonly ok: false; readonly failure: SampleFailure };
