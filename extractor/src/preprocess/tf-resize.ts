// Resizes 8-bit pixels with the float32 arithmetic of tf.image.resize (half-pixel centres), for resize.ts.
import type { Axis, AxisTable } from './axis.ts';
import { pickPixels } from './nearest.ts';
import type { FloatPixels, Pixels } from './pixels.ts';
import { resizeTfBilinear } from './tf-bilinear.ts';
import { type WeightedMethod, weightTable } from './tf-kernels.ts';
import { weighColumns, weighRows } from './tf-passes.ts';

export type TfMethod = 'nearest' | 'bilinear' | WeightedMethod;

/** The wanted part of tf.image.resize(pixels, method=…, antialias=…). Nearest stays 8-bit there as well. */
export function resizeTf(pixels: Pixels, across: Axis, down: Axis, method: TfMethod): Pixels | FloatPixels {
  if (method === 'nearest') return pickPixels(pixels, nearestPositions(across), nearestPositions(down));
  if (method === 'bilinear') return resizeTfBilinear(pixels, across, down);
  const columns = weightTable(across, method);
  const rows = weightTable(down, method);
  // Sums in float32 depend on their order: TensorFlow goes down first, but for area.
  return method === 'area'
    ? resizeArea(pixels, across, down, columns, rows)
    : weighRows(weighColumns(pixels, rows), columns);
}

function resizeArea(
  pixels: Pixels,
  across: Axis,
  down: Axis,
  columns: AxisTable<Float32Array>,
  rows: AxisTable<Float32Array>,
): FloatPixels {
  const resized = weighColumns(weighRows(pixels, columns), rows);
  const area = Math.fround(scaleOf(down) * scaleOf(across));
  const share = Math.fround(1 / area);
  return { ...resized, data: resized.data.map(sum => sum * share) };
}

function nearestPositions(axis: Axis): Int32Array {
  const scale = scaleOf(axis);
  return Int32Array.from({ length: axis.count }, (_, i) => {
    const position = Math.floor(Math.fround(Math.fround(axis.from + i + 0.5) * scale));
    return Math.min(axis.inSize - 1, position);
  });
}

function scaleOf({ inSize, outSize }: Axis): number {
  return Math.fround(inSize / Math.fround(outSize));
}
