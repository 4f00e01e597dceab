// Rectangles of pixels, cut out of an image or set into a black one, for crop policies.
import type { FloatPixels, Pixels } from './pixels.ts';
import { scratchBytes } from './scratch.ts';

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The pixels of the box, which lies inside the image; the image itself where it is the whole. */
export function cutPixels(pixels: Pixels, box: Box): Pixels {
  const { data, width, channels } = pixels;
  if (box.width === width && box.height === pixels.height) return pixels;
  const rowLength = box.width * channels;
  const out = scratchBytes(rowLength * box.height);
  for (let y = 0; y < box.height; y++) {
    const from = ((box.top + y) * width + box.left) * channels;
    out.set(data.subarray(from, from + rowLength), y * rowLength);
  }
  return { data: out, width: box.width, height: box.height, channels };
}

/** The image with its corner at (left, top) of a black one of width × height. */
export function padPixels(pixels: Pixels | FloatPixels, { left, top, width, height }: Box): Pixels | FloatPixels {
  const { data, channels } = pixels;
  if (pixels.width === width && pixels.height === height) return pixels;
  const length = width * height * channels;
  if (data instanceof Uint8Array) {
    const out = new Uint8Array(length);
    setRows(out, pixels, (top * width + left) * channels, width * channels);
    return { data: out, width, height, channels };
  }
  const out = new Float32Array(length);
  setRows(out, pixels, (top * width + left) * channels, width * channels);
  return { data: out, width, height, channels };
}

function setRows(out: Uint8Array | Float32Array, pixels: Pixels | FloatPixels, first: number, stride: number): void {
  const rowLength = pixels.width * pixels.channels;
  for (let y = 0; y < pixels.height; y++) {
    out.set(pixels.data.subarray(y * rowLength, (y + 1) * rowLength), first + y * stride);
  }
}
