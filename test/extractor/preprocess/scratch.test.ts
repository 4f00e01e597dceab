// The memory of one image's pixels: apart while the image is worked on, the same again for the next one.
import { describe, expect, it } from 'vitest';
import { isScratch, scratchBytes, withScratch } from '../../../extractor/src/preprocess/scratch.ts';

const take = (...lengths: readonly number[]): Uint8Array[] => lengths.map(scratchBytes);

describe('scratchBytes', () => {
  it("are one image's, apart from each other, and the next one's when it is done", () => {
    withScratch(() => take(100, 50));
    const [first, second] = withScratch(() => {
      const [one, two] = take(100, 50) as [Uint8Array, Uint8Array];
      one.fill(1);
      two.fill(2);
      expect([one.length, two.length]).toEqual([100, 50]);
      expect([...new Set(one)]).toEqual([1]);
      return [one, two];
    });
    expect([isScratch(first as Uint8Array), isScratch(second as Uint8Array)]).toEqual([true, true]);
    withScratch(() => take(100)[0]?.fill(3));
    expect([...new Set(first)]).toEqual([3]);
  });

  it('lie beyond it where it is too small, which the next image finds mended', () => {
    const wide = 3_000_000;
    const isKept = (): boolean => withScratch(() => isScratch(scratchBytes(wide)));
    expect([isKept(), isKept(), isKept()]).toEqual([false, true, true]);
  });

  it('never lie in it where an image is larger than what is kept', () => {
    const huge = 49 * 1024 * 1024;
    const isKept = (): boolean => withScratch(() => isScratch(scratchBytes(huge)));
    expect([isKept(), isKept()]).toEqual([false, false]);
  });

  it("are the caller's own outside of it", () => {
    withScratch(() => take(100));
    const own = scratchBytes(100).fill(7);
    withScratch(() => take(100)[0]?.fill(8));
    expect([isScratch(own), own[0]]).toEqual([false, 7]);
  });

  it('stay apart in work within work, and are free again when the outer work throws', () => {
    withScratch(() => take(200));
    const fail = (): void =>
      withScratch(() => {
        const [outer] = take(100);
        withScratch(() => take(50)[0]?.fill(2));
        const [later] = take(50);
        expect(later?.byteOffset).toBeGreaterThan(outer?.byteOffset ?? 0);
        throw new Error('no image');
      });
    expect(fail).toThrow('no image');
    expect(withScratch(() => scratchBytes(1).byteOffset)).toBe(0);
  });
});
