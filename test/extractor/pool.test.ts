// Pooling over space: values, shapes, and what stays as it is.
import { describe, expect, test } from 'vitest';
import { pooledShape, poolFeature } from '../../extractor/src/pool.ts';
import { sampleValues } from './small-model.ts';

const tensor = {
  dtype: 'float32',
  shape: [2, 2, 2, 3],
  data: Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, -1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12]),
} as const;

test('mean gives one value per sample and channel', () => {
  expect(poolFeature(tensor, 'mean')).toEqual({
    dtype: 'float32',
    shape: [2, 3],
    data: Float32Array.of(5.5, 6.5, 7.5, -5.5, -6.5, -7.5),
  });
});

test('max gives the largest value, below zero too', () => {
  expect(poolFeature(tensor, 'max')).toEqual({
    dtype: 'float32',
    shape: [2, 3],
    data: Float32Array.of(10, 11, 12, -1, -2, -3),
  });
});

test('max gives NaN where there is one, as numpy does', () => {
  const broken = { dtype: 'float32', shape: [1, 3, 1], data: Float32Array.of(1, Number.NaN, 2) } as const;
  expect(poolFeature(broken, 'max').data).toEqual(Float32Array.of(Number.NaN));
});

test('tokens are pooled over their one axis', () => {
  expect(poolFeature({ ...tensor, shape: [2, 4, 3] }, 'mean').data).toEqual(poolFeature(tensor, 'mean').data);
});

test('a feature of rank 1 stays as it is', () => {
  const flat = { ...tensor, shape: [2, 12] };
  expect(poolFeature(flat, 'mean')).toBe(flat);
  expect(poolFeature(tensor, 'none')).toBe(tensor);
});

test('the mean of many values is exact to a millionth', () => {
  const size = 112 * 112;
  const data = sampleValues([size]).map(value => value + 1000);
  const exact = data.reduce((sum, value) => sum + value, 0) / size;
  const [mean = 0] = poolFeature({ dtype: 'float32', shape: [1, 112, 112, 1], data }, 'mean').data;
  expect(Math.abs(mean - exact) / exact).toBeLessThan(1e-7);
});

describe('the pooled shape', () => {
  test.each([
    [[7, 7, 1280], 'mean', [1280]],
    [[7, 7, 1280], 'max', [1280]],
    [[7, 7, 1280], 'none', [7, 7, 1280]],
    [[197, 768], 'mean', [768]],
    [[5], 'mean', [5]],
  ] as const)('of %j by %s is %j', (shape, pooling, expected) => {
    expect(pooledShape(shape, pooling)).toEqual(expected);
  });
});
