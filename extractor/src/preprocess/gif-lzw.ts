// Unpacks the LZW codes of a GIF frame (GIF89a specification, appendix F) to palette indices: for gif.ts.

const MAX_CODES = 4096;

/** `count` indices; null where the codes are damaged or end early. What comes after the last pixel is not read. */
export function unpackLzw(bytes: Uint8Array, offset: number, count: number): Uint8Array | null {
  const rootBits = bytes[offset] ?? 0;
  if (rootBits < 1 || rootBits > 11) return null;
  const out = new Uint8Array(count);
  const clear = 1 << rootBits;
  // Code c stands for the string of code prefix[c] and then suffix[c].
  const prefix = new Uint16Array(MAX_CODES);
  const suffix = new Uint8Array(MAX_CODES);
  const lengths = new Uint32Array(MAX_CODES).fill(1, 0, clear);
  let next = clear + 2;
  let codeBits = rootBits + 1;
  let previous = -1;
  let first = 0;
  let to = 0;
  let buffer = 0;
  let buffered = 0;
  let at = offset + 1;
  let blockEnd = at;
  while (to < count) {
    while (buffered < codeBits) {
      if (at === blockEnd) {
        const length = bytes[at] ?? 0;
        if (length === 0 || at + length >= bytes.length) return null;
        at += 1;
        blockEnd = at + length;
      }
      buffer |= (bytes[at++] as number) << buffered;
      buffered += 8;
    }
    const code = buffer & ((1 << codeBits) - 1);
    buffer >>>= codeBits;
    buffered -= codeBits;
    if (code === clear) {
      next = clear + 2;
      codeBits = rootBits + 1;
      previous = -1;
      continue;
    }
    if (code === clear + 1 || code > next || (previous === -1 && code > clear)) return null;
    // A code that is only being made is the previous string and its own first index.
    const known = code < next;
    const source = known ? code : previous;
    const length = (lengths[source] as number) + (known ? 0 : 1);
    let place = to + (lengths[source] as number) - 1;
    let rest = source;
    for (; rest >= clear; rest = prefix[rest] as number) {
      if (place < count) out[place] = suffix[rest] as number;
      place -= 1;
    }
    first = rest;
    if (place < count) out[place] = first;
    if (!known && to + length - 1 < count) out[to + length - 1] = first;
    to += length;
    if (previous !== -1 && next < MAX_CODES) {
      prefix[next] = previous;
      suffix[next] = first;
      lengths[next] = (lengths[previous] as number) + 1;
      if (next === (1 << codeBits) - 1 && codeBits < 12) codeBits += 1;
      next += 1;
    }
    previous = code;
  }
  return out;
}
