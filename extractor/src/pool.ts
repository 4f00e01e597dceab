// Pooling of features: over space, over a grid of cells, over tokens. For the worker and the inline way.
import { type Pooling, type PoolingSpec, parsePooling } from '../../shared/src/pooling.ts';
import { sizeOfShape, type TensorData } from '../../shared/src/tensor.ts';
import { poolGrid } from './pool-grid.ts';
import { poolGem, poolMax, poolMean } from './pool-positions.ts';

/**
 * Why a pooling doesn't fit a feature, or undefined where it does. A feature of one axis fits all: it stays as it is.
 * @param shape of one sample, without the batch axis
 */
export function poolingProblem(shape: readonly number[], pooling: Pooling): string | undefined {
  if (shape.length < 2) return undefined;
  const { kind } = parsePooling(pooling);
  if (kind === 'grid' && shape.length !== 3) return 'it takes [height, width, channels]';
  if ((kind === 'cls' || kind === 'mean-tokens') && shape.length !== 2) return 'it takes [tokens, channels]';
  if (kind === 'mean-tokens' && (shape[0] ?? 0) < 2) return 'it takes at least one token behind the first';
  return undefined;
}

/** Shape of one sample's feature after pooling, which fits it. Without the batch axis; the last one holds the channels. */
export function pooledShape(shape: readonly number[], pooling: Pooling): readonly number[] {
  const spec = parsePooling(pooling);
  if (spec.kind === 'none' || shape.length < 2) return shape;
  const channels = shape.at(-1) ?? 0;
  if (spec.kind === 'grid') return [spec.rows, spec.columns, channels];
  return [spec.kind === 'mean+max' ? 2 * channels : channels];
}

/**
 * Pools a batch over all axes but the first (batch) and the last (channels); a feature of one axis stays as it is.
 * Means are summed in float64, so they do not depend on the order of the pixels. `mean+max` is one vector: the means
 * of all channels, then their maxima.
 * @param tensor shape [rows, …shape of the layer] @returns shape [rows, …pooledShape]
 */
export function poolFeature(tensor: TensorData, pooling: Pooling): TensorData {
  const spec = parsePooling(pooling);
  const [rows = 0, ...shape] = tensor.shape;
  if (spec.kind === 'none' || shape.length < 2) return tensor;
  const pooled = pooledShape(shape, pooling);
  const [from, to] = [sizeOfShape(shape), sizeOfShape(pooled)];
  const data = new Float32Array(rows * to);
  for (let row = 0; row < rows; row++) {
    const values = tensor.data.subarray(row * from, (row + 1) * from);
    poolRow(values, shape, spec, data.subarray(row * to, (row + 1) * to));
  }
  return { dtype: 'float32', shape: [rows, ...pooled], data };
}

function poolRow(values: Float32Array, shape: readonly number[], spec: PoolingSpec, pooled: Float32Array): void {
  const channels = shape.at(-1) ?? 0;
  switch (spec.kind) {
    case 'mean':
      poolMean(values, channels, pooled);
      break;
    case 'max':
      poolMax(values, channels, pooled);
      break;
    case 'mean+max':
      poolMean(values, channels, pooled.subarray(0, channels));
      poolMax(values, channels, pooled.subarray(channels));
      break;
    case 'gem':
      poolGem(values, channels, pooled, spec.power);
      break;
    case 'grid':
      poolGrid(values, shape, pooled, spec);
      break;
    case 'cls':
      pooled.set(values.subarray(0, channels));
      break;
    case 'mean-tokens':
      poolMean(values.subarray(channels), channels, pooled);
      break;
    case 'none':
      pooled.set(values);
  }
}
