// From a model's outputs to columns: which layer, pooled and normalized how, makes which column. For plan, worker and inline.
import { type Pooling, type Poolings, poolingsOf } from '../../shared/src/pooling.ts';
import { type Dtype, type ExtractRequest, modelsOf, type Normalization } from '../../shared/src/request.ts';
import type { FeatureSpec, TensorData } from '../../shared/src/tensor.ts';
import { normalizeRows } from './normalize.ts';
import { pooledShape, poolFeature } from './pool.ts';

/** The part of a request that decides its columns. */
export interface ColumnChoice {
  /** Exact names, in the order of the outputs. */
  readonly layers: readonly string[];
  readonly pool: Poolings;
  /** @default 'none' */
  readonly normalize?: Normalization | undefined;
  readonly dtype: Dtype;
  /** Layers that are there as predictions: neither pooled nor normalized. @default none */
  readonly predictions?: readonly string[] | undefined;
}

export interface Column {
  /** Position of the layer, and of its output. */
  readonly layer: number;
  readonly pooling: Pooling;
  readonly normalize: Normalization;
  readonly feature: FeatureSpec;
}

/**
 * The columns in order: layer by layer, and for each its poolings. A column is called as its layer; where several
 * poolings are asked for, as `LAYER@POOLING`, save for a layer with nothing to pool, which gives one column.
 * @param shapes of the layers, without the batch axis, which the poolings fit
 */
export function planColumns(choice: ColumnChoice, shapes: readonly (readonly number[])[]): readonly Column[] {
  const predictions = new Set(choice.predictions);
  return choice.layers.flatMap((name, layer) => {
    const shape = shapes[layer] ?? [];
    const asked = poolingsOf(choice.pool);
    const poolings: readonly Pooling[] = predictions.has(name) || shape.length < 2 ? ['none'] : asked;
    return poolings.map(
      (pooling): Column => ({
        layer,
        pooling,
        normalize: predictions.has(name) ? 'none' : (choice.normalize ?? 'none'),
        feature: {
          name: poolings.length === 1 ? name : `${name}@${pooling}`,
          dtype: choice.dtype,
          shape: pooledShape(shape, pooling),
        },
      }),
    );
  });
}

/**
 * The columns of each model of a request, where it has several with the model's name in front: `MODEL/LAYER`. A row has them
 * one model after the other.
 * @param shapes of each model's layers, without the batch axis
 */
export function planRequestColumns(
  request: ExtractRequest,
  shapes: readonly (readonly (readonly number[])[])[],
): readonly (readonly Column[])[] {
  const { pool, normalize, dtype } = request;
  return modelsOf(request).map(({ modelName, layers, predictions }, model) => {
    const columns = planColumns({ layers, predictions, pool, normalize, dtype }, shapes[model] ?? []);
    if (modelName === undefined) return columns;
    return columns.map(
      ({ feature, ...column }): Column => ({
        ...column,
        feature: { ...feature, name: `${modelName}/${feature.name}` },
      }),
    );
  });
}

/** One column's values from the outputs of a batch: pooled, then normalized. */
export function columnValues(column: Column, outputs: readonly TensorData[]): TensorData {
  const output = outputs[column.layer];
  if (output === undefined) throw new Error(`Expected an output for column '${column.feature.name}'`);
  const pooled = poolFeature(output, column.pooling);
  return column.normalize === 'l2' ? normalizeRows(pooled) : pooled;
}
