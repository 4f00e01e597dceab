// The two passes of Pillow's resize over 8-bit pixels, in WebAssembly with SIMD. For src/preprocess/pillow-passes.ts, which
// lays out the memory. Most of the preprocessing's arithmetic is here. AssemblyScript: only `asc` compiles this file.
//
// A sum of level × weight needs 32 bits, but SIMD multiplies 16 bits at a time, two products a lane and their sum in one
// step. So a weight of 22 bits comes as high × 2^11 + low; both sums are exact, and so is high × 2^11 + low of them.
//
// A table has a record for each output position: first input position (i32), number of weight pairs (i32), then for each
// pair the high halves of two weights and the low halves of the same two (4 × i16). A missing second weight is 0.

const LOW_BITS: i32 = 11;
const PRECISION_BITS: i32 = 22;
/** Half of the fixed-point unit: the shift at the end of a sum then rounds instead of cutting. */
const ROUNDING: i32 = 1 << (PRECISION_BITS - 1);
const HEADER: usize = 8;
const PAIR: usize = 8;

/**
 * Every row of three-channel pixels weighted along its width, `rows` rows of `sourceRow` bytes each. Reads up to 8 bytes
 * beyond the last row. Two rows at a time, so that each weight is fetched once for both; an odd last row is done twice.
 */
export function resizeWidth3(
  source: usize,
  sourceRow: usize,
  rows: i32,
  target: usize,
  width: i32,
  table: usize,
  record: usize,
): void {
  const targetRow = <usize>width * 3;
  for (let y = 0; y < rows; y += 2) {
    const next = min(y + 1, rows - 1);
    const row = source + <usize>y * sourceRow;
    const nextRow = source + <usize>next * sourceRow;
    let to = target + <usize>y * targetRow;
    let nextTo = target + <usize>next * targetRow;
    let entry = table;
    for (let x = 0; x < width; x++, entry += record) {
      const start = <usize>load<i32>(entry) * 3;
      const end = entry + HEADER + <usize>load<i32>(entry, 4) * PAIR;
      let at = row + start;
      let nextAt = nextRow + start;
      let high = i32x4.splat(0);
      let low = i32x4.splat(0);
      let nextHigh = i32x4.splat(0);
      let nextLow = i32x4.splat(0);
      for (let weight = entry + HEADER; weight < end; weight += PAIR, at += 6, nextAt += 6) {
        const highs = v128.load32_splat(weight);
        const lows = v128.load32_splat(weight, 4);
        const pixels = pairOfPixels(at);
        const nextPixels = pairOfPixels(nextAt);
        high = i32x4.add(high, i32x4.dot_i16x8_s(pixels, highs));
        low = i32x4.add(low, i32x4.dot_i16x8_s(pixels, lows));
        nextHigh = i32x4.add(nextHigh, i32x4.dot_i16x8_s(nextPixels, highs));
        nextLow = i32x4.add(nextLow, i32x4.dot_i16x8_s(nextPixels, lows));
      }
      storePixel(to, levels(high, low));
      storePixel(nextTo, levels(nextHigh, nextLow));
      to += 3;
      nextTo += 3;
    }
  }
}

/** The same for one channel, without SIMD: grey photos are a third of the work. */
export function resizeWidth1(
  source: usize,
  sourceRow: usize,
  rows: i32,
  target: usize,
  width: i32,
  table: usize,
  record: usize,
): void {
  let to = target;
  for (let y = 0; y < rows; y++) {
    let entry = table;
    for (let x = 0; x < width; x++, entry += record, to++) {
      const end = entry + HEADER + <usize>load<i32>(entry, 4) * PAIR;
      let at = source + <usize>y * sourceRow + <usize>load<i32>(entry);
      let high = 0;
      let low = 0;
      for (let weight = entry + HEADER; weight < end; weight += PAIR, at += 2) {
        const first = <i32>load<u8>(at);
        const second = <i32>load<u8>(at, 1);
        high += first * <i32>load<i16>(weight) + second * <i32>load<i16>(weight, 2);
        low += first * <i32>load<i16>(weight, 4) + second * <i32>load<i16>(weight, 6);
      }
      const level = ((high << LOW_BITS) + low + ROUNDING) >> PRECISION_BITS;
      store<u8>(to, <u8>max(0, min(255, level)));
    }
  }
}

/**
 * Every column weighted along its height, 16 bytes at a time, whatever their channels; `rowLength` is in bytes. The source's
 * first row is row `top` of the axis. Reads up to a row and 15 bytes beyond the last row, writes up to 15 bytes beyond the last.
 */
export function resizeHeight(
  source: usize,
  rowLength: usize,
  target: usize,
  height: i32,
  table: usize,
  record: usize,
  top: i32,
): void {
  let entry = table;
  let to = target;
  for (let y = 0; y < height; y++, entry += record, to += rowLength) {
    const first = source + <usize>(load<i32>(entry) - top) * rowLength;
    const end = entry + HEADER + <usize>load<i32>(entry, 4) * PAIR;
    for (let x: usize = 0; x < rowLength; x += 16) {
      let high0 = i32x4.splat(0);
      let high1 = i32x4.splat(0);
      let high2 = i32x4.splat(0);
      let high3 = i32x4.splat(0);
      let low0 = i32x4.splat(0);
      let low1 = i32x4.splat(0);
      let low2 = i32x4.splat(0);
      let low3 = i32x4.splat(0);
      let at = first + x;
      for (let weight = entry + HEADER; weight < end; weight += PAIR, at += 2 * rowLength) {
        const upper = v128.load(at);
        const lower = v128.load(at + rowLength);
        const left = v128.shuffle<i8>(upper, lower, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        const right = v128.shuffle<i8>(upper, lower, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        const pixels0 = i16x8.extend_low_i8x16_u(left);
        const pixels1 = i16x8.extend_high_i8x16_u(left);
        const pixels2 = i16x8.extend_low_i8x16_u(right);
        const pixels3 = i16x8.extend_high_i8x16_u(right);
        const highs = v128.load32_splat(weight);
        const lows = v128.load32_splat(weight, 4);
        high0 = i32x4.add(high0, i32x4.dot_i16x8_s(pixels0, highs));
        high1 = i32x4.add(high1, i32x4.dot_i16x8_s(pixels1, highs));
        high2 = i32x4.add(high2, i32x4.dot_i16x8_s(pixels2, highs));
        high3 = i32x4.add(high3, i32x4.dot_i16x8_s(pixels3, highs));
        low0 = i32x4.add(low0, i32x4.dot_i16x8_s(pixels0, lows));
        low1 = i32x4.add(low1, i32x4.dot_i16x8_s(pixels1, lows));
        low2 = i32x4.add(low2, i32x4.dot_i16x8_s(pixels2, lows));
        low3 = i32x4.add(low3, i32x4.dot_i16x8_s(pixels3, lows));
      }
      const words = i16x8.narrow_i32x4_s(levels(high0, low0), levels(high1, low1));
      const nextWords = i16x8.narrow_i32x4_s(levels(high2, low2), levels(high3, low3));
      v128.store(to + x, i8x16.narrow_i16x8_u(words, nextWords));
    }
  }
}

/** Sums to levels, still to be clipped to 0–255. */
function levels(high: v128, low: v128): v128 {
  const sum = i32x4.add(i32x4.shl(high, LOW_BITS), low);
  return i32x4.shr_s(i32x4.add(sum, i32x4.splat(ROUNDING)), PRECISION_BITS);
}

/**
 * Two neighbouring pixels as 16-bit lanes: red of both, green of both, blue of both, and something. Interleaved, not looked up:
 * V8 13 (Node 24) would make the constant of a swizzle anew for each pair.
 */
function pairOfPixels(at: usize): v128 {
  const first = v128.load64_zero(at);
  const second = v128.load64_zero(at, 3);
  return i16x8.extend_low_i8x16_u(
    v128.shuffle<i8>(first, second, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
  );
}

/** Its three bytes and no more: the next row's first pixel may stand behind it. */
function storePixel(to: usize, pixel: v128): void {
  const words = i16x8.narrow_i32x4_s(pixel, pixel);
  const bytes = i8x16.narrow_i16x8_u(words, words);
  v128.store16_lane(to, bytes, 0);
  v128.store8_lane(to, bytes, 2, 2);
}
