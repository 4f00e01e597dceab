// The median in bounded memory: exact while all values are held, near beyond.
import { describe, expect, it } from 'vitest';
import { createMedian } from '../../../cli/src/diff/median.ts';

function medianOf(values: readonly number[], kept?: number): number {
  const median = createMedian(kept);
  for (const value of values) median.add(value);
  return median.value();
}

describe('createMedian', () => {
  it('is exact up to its bound', () => {
    expect([medianOf([3, 1, 2]), medianOf([4, 1, 3, 2]), medianOf([7])]).toEqual([2, 2.5, 7]);
    expect(medianOf([])).toBeNaN();
  });

  it('holds no more than its bound and stays near', () => {
    const values = Array.from({ length: 10_000 }, (_, index) => (index * 7919) % 10_000);
    expect(Math.abs(medianOf(values, 500) - 5000)).toBeLessThan(500);
  });
});
