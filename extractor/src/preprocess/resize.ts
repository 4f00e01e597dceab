// Resizes 8-bit pixels with the very numbers of Pillow's Image.resize, for prepare-image.ts.
import type { Pixels } from './pixels.ts';
import { axisCoefficients, type ConvolutionKernel } from './resize-coefficients.ts';
import { resizeHeight, resizeWidth } from './resize-passes.ts';

export type PillowKernel = 'nearest' | ConvolutionKernel;

/**
 * Pixels squashed to width × height, bit for bit as Pillow 13 does it with the filter of that name.
 * Each pass rounds to 8 bits, so the order of the passes shows: Pillow up to 12 always goes horizontally first,
 * 13 takes the vertical pass first exactly when it saves work: in_h − out_h > max(0, 2 (in_w − out_w)).
 */
export function resizePixels(pixels: Pixels, width: number, height: number, kernel: PillowKernel): Pixels {
  if (pixels.width === width && pixels.height === height) return pixels;
  if (kernel === 'nearest') return resizeNearest(pixels, width, height);
  const horizontal = (image: Pixels): Pixels =>
    image.width === width ? image : resizeWidth(image, width, axisCoefficients(image.width, width, kernel));
  const vertical = (image: Pixels): Pixels =>
    image.height === height ? image : resizeHeight(image, height, axisCoefficients(image.height, height, kernel));
  const verticalFirst = pixels.height - height > Math.max(0, 2 * (pixels.width - width));
  return verticalFirst ? horizontal(vertical(pixels)) : vertical(horizontal(pixels));
}

function resizeNearest(image: Pixels, width: number, height: number): Pixels {
  const { channels, data } = image;
  const columns = nearestPositions(image.width, width);
  const rows = nearestPositions(image.height, height);
  const out = new Uint8Array(width * height * channels);
  let to = 0;
  for (const y of rows) {
    for (const x of columns) {
      const from = (y * image.width + x) * channels;
      for (let c = 0; c < channels; c++) out[to++] = data[from + c] as number;
    }
  }
  return { data: out, width, height, channels };
}

/** Pillow steps through the input by adding up; a product would land beside it where the sum has lost a bit. */
function nearestPositions(inSize: number, outSize: number): Int32Array {
  const step = inSize / outSize;
  const positions = new Int32Array(outSize);
  for (let i = 0, at = step * 0.5; i < outSize; i++, at += step) positions[i] = Math.min(inSize - 1, Math.trunc(at));
  return positions;
}
