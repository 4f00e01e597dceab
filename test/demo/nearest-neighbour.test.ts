import { describe, expect, it } from 'vitest';
import { nearestNeighbourAccuracy } from '../../demo/src/nearest-neighbour.ts';

describe('nearest-neighbour accuracy', () => {
  it('is 1 where each row points the way of another row of its class, whatever its length', () => {
    const values = Float32Array.of(1, 0, 20, 1, 0, 1, 0.1, 3);
    expect(nearestNeighbourAccuracy({ values, labels: ['a', 'a', 'b', 'b'] })).toBe(1);
  });

  it('is 0 where every nearest row is of another class', () => {
    const values = Float32Array.of(1, 0, 20, 1, 0, 1, 0.1, 3);
    expect(nearestNeighbourAccuracy({ values, labels: ['a', 'b', 'a', 'b'] })).toBe(0);
  });

  it('counts a row that has no other of its class as wrong', () => {
    const values = Float32Array.of(1, 0, 1, 0.1, 0, 1);
    expect(nearestNeighbourAccuracy({ values, labels: ['a', 'a', 'b'] })).toBeCloseTo(2 / 3);
  });

  it('does not depend on the order of the rows', () => {
    const labels = ['a', 'a', 'b', 'b', 'b'];
    const rows = [
      [1, 0.2],
      [0.9, 0.3],
      [0.1, 1],
      [0.6, 0.6],
      [0.2, 0.8],
    ] as const;
    const forward = nearestNeighbourAccuracy({ values: Float32Array.from(rows.flat()), labels });
    const backward = nearestNeighbourAccuracy({
      values: Float32Array.from(rows.toReversed().flat()),
      labels: labels.toReversed(),
    });
    expect(backward).toBe(forward);
  });

  it('lets a row of zeros resemble nothing', () => {
    const values = Float32Array.of(0, 0, 1, 0, 1, 0.1);
    expect(nearestNeighbourAccuracy({ values, labels: ['b', 'a', 'a'] })).toBeCloseTo(2 / 3);
  });

  it('refuses values that do not divide into the rows', () => {
    expect(() => nearestNeighbourAccuracy({ values: new Float32Array(5), labels: ['a', 'b'] })).toThrow('2 labels');
  });
});
