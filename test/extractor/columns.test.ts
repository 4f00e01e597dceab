// Columns of a request: names, shapes and values where poolings, normalization and predictions meet.
import { describe, expect, test } from 'vitest';
import { columnValues, planColumns } from '../../extractor/src/columns.ts';
import type { TensorData } from '../../shared/src/tensor.ts';

const choice = { layers: ['conv', 'logits'], pool: 'none', dtype: 'float32' } as const;
const shapes = [[2, 1, 2], [3]];
const outputs: readonly TensorData[] = [
  { dtype: 'float32', shape: [1, 2, 1, 2], data: Float32Array.of(3, 0, 3, 8) },
  { dtype: 'float32', shape: [1, 3], data: Float32Array.of(0, 3, 4) },
];

function planned(fields: Partial<Parameters<typeof planColumns>[0]>): readonly unknown[] {
  return planColumns({ ...choice, ...fields }, shapes).map(column => [
    column.feature.name,
    column.feature.shape,
    [...columnValues(column, outputs).data].map(value => Number(value.toFixed(4))),
  ]);
}

describe('a column is called', () => {
  test('as its layer where one pooling is asked for', () => {
    expect(planned({})).toEqual([
      ['conv', [2, 1, 2], [3, 0, 3, 8]],
      ['logits', [3], [0, 3, 4]],
    ]);
    expect(planned({ pool: 'mean+max' })).toEqual([
      ['conv', [4], [3, 4, 3, 8]],
      ['logits', [3], [0, 3, 4]],
    ]);
  });

  test('LAYER@POOLING where several are, save for a layer with nothing to pool', () => {
    expect(planned({ pool: ['mean', 'none', 'grid:1x1', 'mean'] })).toEqual([
      ['conv@mean', [2], [3, 4]],
      ['conv@none', [2, 1, 2], [3, 0, 3, 8]],
      ['conv@grid:1x1', [1, 1, 2], [3, 4]],
      ['logits', [3], [0, 3, 4]],
    ]);
  });
});

test('l2 follows the pooling', () => {
  expect(planned({ pool: 'mean', normalize: 'l2' })).toEqual([
    ['conv', [2], [0.6, 0.8]],
    ['logits', [3], [0, 0.6, 0.8]],
  ]);
});

test('predictions stay what they are', () => {
  const fields = { pool: ['mean', 'max'], normalize: 'l2', predictions: ['logits'] } as const;
  expect(planned(fields).at(-1)).toEqual(['logits', [3], [0, 3, 4]]);
  expect(planned({ pool: 'max', predictions: ['conv'] })[0]).toEqual(['conv', [2, 1, 2], [3, 0, 3, 8]]);
});

test('all columns have the type of the request', () => {
  const types = planColumns({ ...choice, pool: ['mean', 'max'], dtype: 'float16' }, shapes).map(c => c.feature.dtype);
  expect(types).toEqual(['float16', 'float16', 'float16']);
});
