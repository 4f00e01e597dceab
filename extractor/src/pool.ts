// Pooling of features over space: one value per channel and sample. For the worker and the inline way.
import type { Pooling } from '../../shared/src/request.ts';
import { sizeOfShape, type TensorData } from '../../shared/src/tensor.ts';

/** Shape of one sample's feature after pooling: only the last axis (channels) stays. Without the batch axis. */
export function pooledShape(shape: readonly number[], pooling: Pooling): readonly number[] {
  return pooling === 'none' || shape.length < 2 ? shape : shape.slice(-1);
}

/**
 * Pools over all axes but the first (batch) and the last (channels); a feature of rank 1 stays as it is.
 * Means are summed in float64, so they do not depend on the order of the pixels.
 * @param tensor shape [rows, …, channels] @returns shape [rows, channels]
 */
export function poolFeature(tensor: TensorData, pooling: Pooling): TensorData {
  if (pooling === 'none' || tensor.shape.length < 3) return tensor;
  const rows = tensor.shape[0] ?? 0;
  const channels = tensor.shape.at(-1) ?? 0;
  const positions = sizeOfShape(tensor.shape.slice(1, -1));
  const pool = pooling === 'mean' ? poolMean : poolMax;
  return { dtype: 'float32', shape: [rows, channels], data: pool(tensor.data, rows, positions, channels) };
}

function poolMean(data: Float32Array, rows: number, positions: number, channels: number): Float32Array {
  const pooled = new Float32Array(rows * channels);
  const sums = new Float64Array(channels);
  let from = 0;
  for (let row = 0; row < rows; row++) {
    sums.fill(0);
    for (let position = 0; position < positions; position++) {
      for (let channel = 0; channel < channels; channel++)
        sums[channel] = (sums[channel] as number) + (data[from++] as number);
    }
    for (let channel = 0; channel < channels; channel++) {
      pooled[row * channels + channel] = (sums[channel] as number) / positions;
    }
  }
  return pooled;
}

function poolMax(data: Float32Array, rows: number, positions: number, channels: number): Float32Array {
  const pooled = new Float32Array(rows * channels).fill(Number.NEGATIVE_INFINITY);
  let from = 0;
  for (let row = 0; row < rows; row++) {
    for (let position = 0; position < positions; position++) {
      for (let channel = 0, to = row * channels; channel < channels; channel++, to++) {
        const value = data[from++] as number;
        // NaN wins and stays, as in numpy: a broken model should show.
        if (value > (pooled[to] as number) || Number.isNaN(value)) pooled[to] = value;
      }
    }
  }
  return pooled;
}
