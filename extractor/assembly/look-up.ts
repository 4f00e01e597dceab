// The values of 8-bit levels out of tables, in WebAssembly: JavaScript takes up to three times as long, by its compiler's
// version and mood. For src/preprocess/look-up.ts, which lays out the memory. AssemblyScript: only `asc` compiles this file.

/** A table's 256 values of 4 bytes. */
const TABLE: usize = 1024;
/** Of a value, as a shift of its index. */
const VALUE: usize = 2;

/**
 * Pixels of three levels to three values each, by three tables, one behind the other: the first value is of the level at
 * `first`, 0 or 2, the last one of the other of these.
 */
export function lookUp3(tables: usize, source: usize, target: usize, pixels: i32, first: usize): void {
  const end = source + <usize>pixels * 3;
  const last: usize = 2 - first;
  for (let from = source, to = target; from < end; from += 3, to += 12) {
    store<f32>(to, load<f32>(tables + ((<usize>load<u8>(from + first)) << VALUE)));
    store<f32>(to, load<f32>(tables + ((<usize>load<u8>(from, 1)) << VALUE), TABLE), 4);
    store<f32>(to, load<f32>(tables + ((<usize>load<u8>(from + last)) << VALUE), 2 * TABLE), 8);
  }
}

/** The same for pixels of one level. */
export function lookUp1(table: usize, source: usize, target: usize, pixels: i32): void {
  const end = source + <usize>pixels;
  for (let from = source, to = target; from < end; from++, to += 4) {
    store<f32>(to, load<f32>(table + ((<usize>load<u8>(from)) << VALUE)));
  }
}
