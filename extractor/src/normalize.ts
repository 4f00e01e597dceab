// Scales each sample's feature to length 1. For the worker and the inline way, after pooling.
import type { TensorData } from '../../shared/src/tensor.ts';

/**
 * Divides each row by its Euclidean length, over all of its values, summed in float64. A row of zeros stays zero.
 * @param tensor shape [rows, …]
 */
export function normalizeRows(tensor: TensorData): TensorData {
  const rows = tensor.shape[0] ?? 0;
  const size = rows === 0 ? 0 : tensor.data.length / rows;
  const data = new Float32Array(tensor.data.length);
  for (let row = 0; row < rows; row++) {
    const end = (row + 1) * size;
    let squares = 0;
    for (let at = row * size; at < end; at++) squares += (tensor.data[at] as number) ** 2;
    const length = squares === 0 ? 1 : Math.sqrt(squares);
    for (let at = row * size; at < end; at++) data[at] = (tensor.data[at] as number) / length;
  }
  return { ...tensor, data };
}
