// Damages the bytes of a file in a way that a number decides, the same one for the same number: for the fuzz of models and images.

/** Cut off, or with bits flipped, bytes set, a piece taken out, a piece doubled, or a number written over. */
export function damagedCopy(original: Uint8Array, random: () => number): Uint8Array {
  // The slice of a Buffer shares its memory.
  const bytes = Uint8Array.from(original);
  const below = (end: number): number => Math.floor(random() * end);
  const kind = below(6);
  const start = below(bytes.length);
  if (kind === 0) return bytes.subarray(0, start);
  // Lengths and sizes that claim far more than there is.
  if (kind === 1) return bytes.fill(255, start, start + 1 + below(9));
  if (kind === 2) return joined(bytes.subarray(0, start), bytes.subarray(start + 1 + below(64)));
  if (kind === 3) return joined(bytes.subarray(0, start + 1 + below(64)), bytes.subarray(start));
  const changed = kind === 4 ? withLargeNumber(bytes, start, random() < 0.5) : undefined;
  if (changed !== undefined) return changed;
  for (let flips = 1 + below(20); flips > 0; flips--) {
    const at = below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
  }
  return bytes;
}

/**
 * A size that claims too much, in a text: the next number behind a place, in as many digits as it has or as 32 bits have.
 * Undefined where there is none, or none that could be larger.
 */
function withLargeNumber(bytes: Uint8Array, from: number, inPlace: boolean): Uint8Array | undefined {
  const isDigit = (byte: number): boolean => byte >= 48 && byte <= 57;
  const found = bytes.subarray(from).findIndex(isDigit);
  if (found === -1) return undefined;
  const start = from + found;
  let end = start;
  while (isDigit(bytes[end] ?? 0)) end++;
  const number = Buffer.from('9'.repeat(inPlace ? end - start : 10));
  if (number.equals(bytes.subarray(start, end))) return undefined;
  return joined(bytes.subarray(0, start), number, bytes.subarray(end));
}

function joined(...pieces: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(pieces));
}

/** Numbers from 0 to 1, the same ones for the same seed (Tommy Ettinger's mulberry32). */
export function randomOf(seed: number): () => number {
  // Neighbouring seeds must not give neighbouring numbers.
  let state = Math.imul(seed, 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
