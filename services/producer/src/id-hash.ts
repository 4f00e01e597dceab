// A quick 64-bit hash of sample ids, for duplicates.ts.

/**
 * A 64-bit hash over the UTF-16 code units: two lanes that multiply by different odd constants, each stirred into the
 * other at the end. Quick rather than safe: a collision costs the caller one comparison.
 */
export function hashInto(lanes: Uint32Array, at: number, text: string): void {
  let high = 0x2545f491 ^ text.length;
  let low = 0x9e3779b9;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low ^ unit, 0x5bd1e995);
    low ^= low >>> 15;
  }
  lanes[at] = stir(high ^ Math.imul(low, 0x85ebca6b));
  lanes[at + 1] = stir(low ^ Math.imul(high, 0xc2b2ae35));
}

/** Spreads every bit over the whole word; reversible, so nothing is lost. */
function stir(value: number): number {
  let word = value ^ (value >>> 16);
  word = Math.imul(word, 0x7feb352d);
  word ^= word >>> 15;
  word = Math.imul(word, 0x846ca68b);
  return word ^ (word >>> 16);
}
