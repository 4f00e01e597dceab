// Resizes 8-bit pixels with the very numbers of Pillow's Image.resize, for resize.ts.
import { type Axis, isIdentity } from './axis.ts';
import { cutPixels } from './cut.ts';
import { pickPixels } from './nearest.ts';
import { axisCoefficients, type ConvolutionKernel } from './pillow-coefficients.ts';
import { resizeHeight, resizeWidth } from './pillow-passes.ts';
import type { Pixels } from './pixels.ts';

export type PillowKernel = 'nearest' | ConvolutionKernel;

/**
 * The wanted part of the resized pixels, bit for bit as Pillow 13 does it with the filter of that name and `box`.
 * Each pass rounds to 8 bits, so the order of the passes shows: Pillow up to 12 always goes horizontally first,
 * 13 takes the vertical pass first exactly when it saves work: in_h − out_h > max(0, 2 (in_w − out_w)).
 */
export function resizePillow(pixels: Pixels, across: Axis, down: Axis, kernel: PillowKernel): Pixels {
  if (kernel === 'nearest') return pickPixels(pixels, nearestPositions(across), nearestPositions(down));
  const verticalFirst = down.inSize - down.outSize > Math.max(0, 2 * (across.inSize - across.outSize));
  if (verticalFirst) return alongRow(alongColumn(pixels, down, kernel, 0), across, kernel);
  const rows = neededRows(down, kernel);
  return alongColumn(alongRow(rowsOf(pixels, rows), across, kernel), down, kernel, rows.from);
}

function alongRow(pixels: Pixels, axis: Axis, kernel: ConvolutionKernel): Pixels {
  if (!isIdentity(axis)) return resizeWidth(pixels, axisCoefficients(axis, kernel));
  return cutPixels(pixels, { left: axis.from, top: 0, width: axis.count, height: pixels.height });
}

/** The pixels' first row is row `top` of the image. */
function alongColumn(pixels: Pixels, axis: Axis, kernel: ConvolutionKernel, top: number): Pixels {
  if (!isIdentity(axis)) return resizeHeight(pixels, axisCoefficients(axis, kernel), top);
  return rowsOf(pixels, { from: axis.from - top, count: axis.count });
}

interface Rows {
  readonly from: number;
  readonly count: number;
}

/** The rows that the vertical pass will read: the others need no horizontal pass. */
function neededRows(axis: Axis, kernel: ConvolutionKernel): Rows {
  if (isIdentity(axis)) return { from: axis.from, count: axis.count };
  const { starts, counts } = axisCoefficients(axis, kernel);
  const last = starts.length - 1;
  const from = starts[0] as number;
  return { from, count: (starts[last] as number) + (counts[last] as number) - from };
}

/** A view, no copy. */
function rowsOf(pixels: Pixels, { from, count }: Rows): Pixels {
  const { width, channels, data } = pixels;
  const rowLength = width * channels;
  return { data: data.subarray(from * rowLength, (from + count) * rowLength), width, height: count, channels };
}

/** Pillow steps through the input by adding up; a product would land beside it where the sum has lost a bit. */
function nearestPositions({ inSize, boxFrom, boxSize, outSize, from, count }: Axis): Int32Array {
  const step = boxSize / outSize;
  const positions = new Int32Array(count);
  for (let i = 0, at = boxFrom + step * 0.5; i < from + count; i++, at += step) {
    if (i >= from) positions[i - from] = Math.min(inSize - 1, Math.trunc(at));
  }
  return positions;
}
