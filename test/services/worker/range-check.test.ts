// The range check: what it warns of, and what it must not.
import { describe, expect, it } from 'vitest';
import { type ColumnWarnings, openRangeCheck, totalWarnings } from '../../../services/worker/src/range-check.ts';
import type { FeatureDtype, TensorData } from '../../../shared/src/tensor.ts';

interface Shard {
  /** One list of values per image; undefined for an image that failed. */
  readonly features: readonly (readonly number[] | undefined)[];
  /** One number per image: all of its pixels. @default all different */
  readonly inputs?: readonly number[];
  readonly dtype?: FeatureDtype;
}

function tensorOf(rows: readonly (readonly number[])[]): TensorData {
  return { dtype: 'float32', shape: [rows.length, rows[0]?.length ?? 0], data: Float32Array.from(rows.flat()) };
}

/** In batches of two. */
function check({ features, inputs, dtype = 'float32' }: Shard): readonly ColumnWarnings[] {
  const size = features.find(values => values !== undefined)?.length ?? 1;
  const range = openRangeCheck([{ name: 'conv', dtype, shape: [size] }]);
  for (let at = 0; at < features.length; at += 2) {
    const rows = features.slice(at, at + 2);
    const pixels = rows.map((_, index) => [inputs?.[at + index] ?? at + index, 0]);
    range.add(
      tensorOf(pixels),
      [tensorOf(rows.map(values => values ?? new Array<number>(size).fill(0)))],
      rows.map(values => values !== undefined),
    );
  }
  return range.finish();
}

const SOUND = [
  [1, 2, 3],
  [2, 2, 3],
  [0, 0, 0],
  [4, 1, 0],
  [5, 5, 1],
];

describe('the range check', () => {
  it('says nothing of features that differ, an image of zeros among them', () => {
    expect(check({ features: SOUND })).toEqual([]);
  });

  it('counts the images with NaN or infinity', () => {
    const features = [...SOUND, [Number.NaN, 0, 1], [1, Number.POSITIVE_INFINITY, 2]];
    expect(check({ features })).toEqual([{ column: 'conv', counts: { 'not-finite': 2 } }]);
  });

  it('finds a layer that is constant for every image, whatever the constant', () => {
    expect(check({ features: SOUND.map((_, i) => [i, i, i]) })).toEqual([
      { column: 'conv', counts: { 'constant-layer': 5 } },
    ]);
    expect(check({ features: SOUND.map(() => [0, 0]) })).toEqual([{ column: 'conv', counts: { 'constant-layer': 5 } }]);
  });

  it('finds features that do not depend on the image, but for an engine’s last bits', () => {
    const features = SOUND.map((_, i) => [1, 2 + i * 1e-7, 3]);
    expect(check({ features })).toEqual([{ column: 'conv', counts: { 'equal-features': 5 } }]);
    expect(check({ features: SOUND.map((_, i) => [1, 2 + i * 1e-4, 3]) })).toEqual([]);
  });

  it('does not take equal images for a fault, nor a few images for proof', () => {
    expect(check({ features: SOUND.map(() => [1, 2, 3]), inputs: SOUND.map(() => 7) })).toEqual([]);
    expect(
      check({
        features: [
          [1, 2, 3],
          [1, 2, 3],
          [1, 2, 3],
        ],
      }),
    ).toEqual([]);
    expect(check({ features: SOUND.map((_, i) => [i]) })).toEqual([]);
  });

  it('leaves images out that failed', () => {
    expect(check({ features: [...SOUND.map((_, i) => [i, i]), undefined] })).toEqual([
      { column: 'conv', counts: { 'constant-layer': 5 } },
    ]);
    expect(check({ features: [undefined, undefined] })).toEqual([]);
  });

  it('counts the images that float16 cannot hold, and only for float16', () => {
    const features = [...SOUND, [65519, 0, 1], [65520, 0, 1], [0, 0, -1e6]];
    expect(check({ features, dtype: 'float16' })).toEqual([{ column: 'conv', counts: { 'float16-overflow': 2 } }]);
    expect(check({ features })).toEqual([]);
  });

  it('looks at a part of a large feature, spread over it', () => {
    const size = 100_000;
    const wide = (fill: (at: number) => number): number[] => Array.from({ length: size }, (_, at) => fill(at));
    expect(check({ features: SOUND.map((_, i) => wide(at => (at < size / 2 ? i : Number.NaN))) })).toEqual([
      { column: 'conv', counts: { 'not-finite': 5 } },
    ]);
    expect(check({ features: SOUND.map((_, i) => wide(at => (at % 64) + i)) })).toEqual([]);
    // Two channels that take turns.
    expect(check({ features: SOUND.map((_, i) => wide(at => (at % 2) + i)) })).toEqual([]);
  });

  it('remembers the first image though the memory of a batch is used again', () => {
    const checkReusing = (featuresOf: (image: number) => readonly number[]): readonly ColumnWarnings[] => {
      const range = openRangeCheck([{ name: 'conv', dtype: 'float32', shape: [2] }]);
      const input = tensorOf([[0, 0]]);
      const feature = tensorOf([[0, 0]]);
      for (const image of SOUND.keys()) {
        input.data.fill(image);
        feature.data.set(featuresOf(image));
        range.add(input, [feature], [true]);
      }
      return range.finish();
    };
    expect(checkReusing(image => [image, 1])).toEqual([]);
    expect(checkReusing(() => [1, 2])).toEqual([{ column: 'conv', counts: { 'equal-features': SOUND.length } }]);
  });

  it('adds up over the columns for the receipt', () => {
    expect(
      totalWarnings([
        { column: 'a', counts: { 'not-finite': 2, 'float16-overflow': 1 } },
        { column: 'b', counts: { 'not-finite': 3 } },
      ]),
    ).toEqual({ 'not-finite': 5, 'float16-overflow': 1 });
  });
});
