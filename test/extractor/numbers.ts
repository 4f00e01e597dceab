// Comparing tensors: largest difference relative to the largest value.
import type { TensorData } from '../../shared/src/tensor.ts';

/** max |a − b| ÷ max |a|; infinite where the shapes differ or a value is no number. */
export function relativeDifference(a: TensorData, b: TensorData): number {
  if (String(a.shape) !== String(b.shape)) return Number.POSITIVE_INFINITY;
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < a.data.length; i++) {
    const [x, y] = [a.data[i] ?? Number.NaN, b.data[i] ?? Number.NaN];
    if (!Number.isFinite(x) || !Number.isFinite(y)) return Number.POSITIVE_INFINITY;
    largest = Math.max(largest, Math.abs(x));
    difference = Math.max(difference, Math.abs(x - y));
  }
  return largest === 0 ? difference : difference / largest;
}
