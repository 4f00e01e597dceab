// Half precision, proved on every float16, on the ties between neighbours, and on NumPy's own rounding.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { decodeHalf, encodeHalf, HALF_OVERFLOW } from '../../shared/src/half-float.ts';

const ALL = Uint16Array.from({ length: 65_536 }, (_, half) => half);
const isNaNHalf = (half: number): boolean => (half & 0x7fff) > 0x7c00;

it('gives every float16 back', () => {
  const again = encodeHalf(decodeHalf(ALL));
  expect(ALL.filter(half => (isNaNHalf(half) ? !isNaNHalf(again[half] ?? 0) : again[half] !== half))).toHaveLength(0);
});

it('rounds to the nearest, and a tie to the even one', () => {
  const values = decodeHalf(ALL);
  const nextUp = (value: number, step: number): number => {
    const word = new Uint32Array(Float32Array.of(value).buffer);
    word[0] = (word[0] ?? 0) + step;
    return new Float32Array(word.buffer)[0] ?? Number.NaN;
  };
  const wrong: number[] = [];
  // 0x7bff is the largest finite one: its tie with what would follow is the limit of overflow.
  for (let half = 0; half < 0x7bff; half++) {
    const tie = ((values[half] ?? 0) + (values[half + 1] ?? 0)) / 2;
    const even = half % 2 === 0 ? half : half + 1;
    const [below, at, above] = encodeHalf(Float32Array.of(nextUp(tie, -1), tie, nextUp(tie, 1)));
    const [negative] = encodeHalf(Float32Array.of(-tie));
    if (below !== half || at !== even || above !== half + 1 || negative !== (even | 0x8000)) wrong.push(half);
  }
  expect(wrong).toEqual([]);
  expect([...encodeHalf(Float32Array.of(nextUp(HALF_OVERFLOW, -1), HALF_OVERFLOW, 3e38))]).toEqual([
    0x7bff, 0x7c00, 0x7c00,
  ]);
});

it('rounds as NumPy does', () => {
  const { halves } = JSON.parse(readFileSync(new URL('../extractor/golden/pool.json', import.meta.url), 'utf8')) as {
    readonly halves: { readonly float32: readonly number[]; readonly float16: readonly number[] };
  };
  const values = new Float32Array(Uint32Array.from(halves.float32).buffer);
  expect([...encodeHalf(values)]).toEqual(halves.float16);
});

it('reads a part of a larger buffer', () => {
  const values = Float32Array.of(9, 1, 2, 9).subarray(1, 3);
  expect([...decodeHalf(encodeHalf(values))]).toEqual([1, 2]);
});
