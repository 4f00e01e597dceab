// IEEE 754 half precision: float32 ⇄ the 16 bits of a float16. For tensors, weights and engines; no runtime here has the type everywhere.

/** From here on a float32 rounds to infinity: half way between 65504, the largest float16, and 65536. */
export const HALF_OVERFLOW = 65520;

/** Smallest normal float16, 2^-14, as the bits of a float32. */
const SMALLEST_NORMAL = 0x38800000;
const INFINITY_BITS = 0x7f800000;

/** Rounds to the nearest, ties to even, as NumPy's `astype('float16')`; what is too large becomes infinity. */
export function encodeHalf(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  const sum = new Float32Array(1);
  const sumBits = new Uint32Array(sum.buffer);
  for (let index = 0; index < bits.length; index++) {
    const word = bits[index] as number;
    const sign = (word >>> 16) & 0x8000;
    const magnitude = word & 0x7fffffff;
    if (magnitude > INFINITY_BITS) {
      halves[index] = sign | 0x7e00;
    } else if (magnitude >= 0x47800000) {
      halves[index] = sign | 0x7c00;
    } else if (magnitude >= SMALLEST_NORMAL) {
      // Adds just under half of the last bit kept, and one more where that bit is odd: a carry reaches the exponent.
      halves[index] = sign | ((magnitude + 0xfff + ((magnitude >>> 13) & 1) - 0x38000000) >>> 13);
    } else {
      // At 0.5 the last bit of a float32 is 2^-24, that of a subnormal float16: the addition itself rounds.
      sum[0] = Math.abs(values[index] as number) + 0.5;
      halves[index] = sign | ((sumBits[0] as number) - 0x3f000000);
    }
  }
  return halves;
}

let table: Float32Array | undefined;

/** Exact: every float16 is a float32. */
export function decodeHalf(halves: Uint16Array): Float32Array {
  table ??= Float32Array.from({ length: 65_536 }, (_, half) => halfValue(half));
  const values = new Float32Array(halves.length);
  for (let index = 0; index < halves.length; index++) values[index] = table[halves[index] as number] as number;
  return values;
}

/** The value of one float16. */
export function halfValue(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
