// Pooling: values equal to NumPy's, shapes, and what stays as it is.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { normalizeRows } from '../../extractor/src/normalize.ts';
import { pooledShape, poolFeature, poolingProblem } from '../../extractor/src/pool.ts';
import type { Pooling } from '../../shared/src/pooling.ts';
import { sizeOfShape, type TensorData } from '../../shared/src/tensor.ts';
import { sampleValues } from './small-model.ts';

interface Values {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/** Made by golden/make_pool_goldens.py. */
const golden = JSON.parse(readFileSync(new URL('golden/pool.json', import.meta.url), 'utf8')) as {
  readonly poolings: readonly {
    readonly shape: readonly number[];
    readonly pooling: Pooling;
    readonly expected: Values;
  }[];
  readonly l2: Values;
};

/** The script's own numbers. */
function goldenInput(shape: readonly number[]): TensorData {
  const data = Float32Array.from({ length: sizeOfShape(shape) }, (_, i) => (((i * 7919 + 13) % 1009) - 504) / 256);
  return { dtype: 'float32', shape, data };
}

function largestDifference(a: Float32Array, b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, index) => Math.max(most, Math.abs(value - (b[index] ?? Number.NaN))), 0);
}

const tensor: TensorData = {
  dtype: 'float32',
  shape: [2, 2, 2, 3],
  data: Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, -1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12]),
};

describe('has the values of NumPy', () => {
  test.each(golden.poolings.map(given => [given.pooling, given.shape, given.expected] as const))(
    '%s of %j',
    (pooling, shape, expected) => {
      const pooled = poolFeature(goldenInput(shape), pooling);
      expect(pooled.shape).toEqual(expected.shape);
      expect(pooledShape(shape.slice(1), pooling)).toEqual(expected.shape.slice(1));
      expect(largestDifference(pooled.data, expected.values)).toBeLessThan(2e-7);
    },
  );

  test('l2 over all values of each sample', () => {
    const { data, shape } = normalizeRows(goldenInput(golden.l2.shape));
    expect(shape).toEqual(golden.l2.shape);
    expect(largestDifference(data, golden.l2.values)).toBeLessThan(1e-8);
  });
});

test('max gives NaN where there is one, as numpy does', () => {
  const broken = { dtype: 'float32', shape: [1, 3, 1], data: Float32Array.of(1, Number.NaN, 2) } as const;
  for (const pooling of ['max', 'mean', 'gem', 'grid:1x1'] as const) {
    const shaped = pooling === 'grid:1x1' ? { ...broken, shape: [1, 3, 1, 1] } : broken;
    expect([...poolFeature(shaped, pooling).data], pooling).toEqual([Number.NaN]);
  }
});

test('max may be below zero', () => {
  expect([...poolFeature(tensor, 'max').data]).toEqual([10, 11, 12, -1, -2, -3]);
});

test('a feature of one axis stays as it is, whatever the pooling', () => {
  const flat = { ...tensor, shape: [2, 12] };
  for (const pooling of ['mean', 'mean+max', 'grid:2x2', 'cls', 'mean-tokens'] as const) {
    expect(poolFeature(flat, pooling)).toBe(flat);
    expect(pooledShape([12], pooling)).toEqual([12]);
    expect(poolingProblem([12], pooling)).toBeUndefined();
  }
  expect(poolFeature(tensor, 'none')).toBe(tensor);
});

test('the mean of many values is exact to a millionth', () => {
  const size = 112 * 112;
  const data = sampleValues([size]).map(value => value + 1000);
  const exact = data.reduce((sum, value) => sum + value, 0) / size;
  const [mean = 0] = poolFeature({ dtype: 'float32', shape: [1, 112, 112, 1], data }, 'mean').data;
  expect(Math.abs(mean - exact) / exact).toBeLessThan(1e-7);
});

test('a vector of zeros has no direction: l2 leaves it, and its neighbours', () => {
  const data = Float32Array.of(0, 0, 3, 4);
  expect([...normalizeRows({ dtype: 'float32', shape: [2, 2], data }).data]).toEqual([
    0,
    0,
    Math.fround(0.6),
    Math.fround(0.8),
  ]);
});

describe('the pooled shape', () => {
  test.each([
    [[7, 7, 1280], 'mean', [1280]],
    [[7, 7, 1280], 'mean+max', [2560]],
    [[7, 7, 1280], 'grid:3x2', [3, 2, 1280]],
    [[7, 7, 1280], 'none', [7, 7, 1280]],
    [[197, 768], 'max', [768]],
    [[197, 768], 'cls', [768]],
    [[197, 768], 'mean-tokens', [768]],
    [[4, 7, 7, 64], 'gem:2', [64]],
  ] as const)('of %j by %s is %j', (shape, pooling, expected) => {
    expect(pooledShape(shape, pooling)).toEqual(expected);
  });
});

describe('a pooling', () => {
  test.each([
    ['grid:2x2', [197, 768], 'it takes [height, width, channels]'],
    ['grid:2x2', [2, 7, 7, 64], 'it takes [height, width, channels]'],
    ['cls', [7, 7, 64], 'it takes [tokens, channels]'],
    ['mean-tokens', [7, 7, 64], 'it takes [tokens, channels]'],
    ['mean-tokens', [1, 64], 'it takes at least one token behind the first'],
    ['mean', [2, 7, 7, 64], undefined],
  ] as const)('%s of %j: %s', (pooling, shape, problem) => {
    expect(poolingProblem(shape, pooling)).toBe(problem);
  });

  test('that does not exist is a mistake of the caller', () => {
    expect(() => poolFeature(tensor, 'gem:-1')).toThrow('Expected one of none, mean, max');
  });
});
