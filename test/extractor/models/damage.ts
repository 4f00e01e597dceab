// Damaged copies of a file, the same ones for the same seed: for the fuzz tests of readers.

/** Every fourth is cut off somewhere, the others have 1 to 20 flipped bits. */
export function damagedCopies(bytes: Uint8Array, count: number, seed: number): readonly Uint8Array<ArrayBuffer>[] {
  const random = mulberry32(seed);
  const below = (end: number): number => Math.floor(random() * end);
  return Array.from({ length: count }, (_, i) => {
    if (i % 4 === 0) return new Uint8Array(bytes.subarray(0, below(bytes.byteLength)));
    const copy = new Uint8Array(bytes);
    for (let flips = 1 + below(20); flips > 0; flips--) {
      const at = below(copy.byteLength);
      copy[at] = (copy[at] ?? 0) ^ (1 << below(8));
    }
    return copy;
  });
}

/** A small generator of pseudo-random numbers from 0 to 1 (Tommy Ettinger's mulberry32). */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
