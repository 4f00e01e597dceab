// The gate's arithmetic: what passes, what does not, and what Keras' own distance from float64 allows.
import { describe, expect, test } from 'vitest';
import { distanceBetween, judge } from '../../extractor/src/agreement.ts';

const reference = Float32Array.of(1, -2, 4, 0.5, 0, 3);

describe('the distance between two outputs', () => {
  test('is none for the same values, and the least cosine and largest difference of all rows else', () => {
    expect(distanceBetween(reference, reference, 2)).toEqual({ cosine: 1, relative: 0 });
    const distance = distanceBetween(Float32Array.of(1, -2, 4, 0.5, 1, 3), reference, 2);
    expect(distance?.relative).toBe(0.25);
    expect(distance?.cosine).toBeCloseTo((0.25 + 9) / Math.sqrt(9.25 * 10.25), 10);
  });

  test('is as large as can be where a value is no number', () => {
    const values = reference.slice();
    values[4] = Number.NaN;
    const distance = distanceBetween(values, reference, 2);
    expect(distance).toEqual({ cosine: -1, relative: Number.POSITIVE_INFINITY });
    expect(judge(distance ?? { cosine: 1, relative: 0 }).passed).toBe(false);
  });

  test('does not exist between outputs of another size', () => {
    expect(distanceBetween(reference.subarray(1), reference, 2)).toBeUndefined();
  });

  test('sees a layer that gives zeros', () => {
    expect(distanceBetween(new Float32Array(6), reference, 2)).toEqual({ cosine: 0, relative: 1 });
  });
});

describe('the verdict', () => {
  test('passes at the bounds and fails beyond either', () => {
    expect(judge({ cosine: 0.999999, relative: 1e-4 })).toEqual({ passed: true, reason: undefined });
    expect(judge({ cosine: 0.9999989, relative: 0 }).reason).toMatch(/^cosine 0\.9999989 below/);
    expect(judge({ cosine: 1, relative: 1.1e-4 }).reason).toMatch(/^difference 1\.1e-4 of the largest value/);
  });

  test("allows three times Keras' own distance from float64 where that is more, and never less than the bounds", () => {
    const own = { cosine: 0.999999, relative: 2e-4 };
    expect(judge({ cosine: 0.999998, relative: 5.9e-4 }, own).passed).toBe(true);
    expect(judge({ cosine: 1, relative: 6.1e-4 }, own).passed).toBe(false);
    expect(judge({ cosine: 0.999999, relative: 1e-4 }, { cosine: 1, relative: 1e-8 }).passed).toBe(true);
  });
});
