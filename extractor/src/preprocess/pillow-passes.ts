// The two passes of a resize over 8-bit pixels: brings pixels and weights into the memory of the WebAssembly module that
// computes them, a band of rows at a time. For pillow-resize.ts.
import { type Assembly, growTo, instantiateAssembly } from './assembly.ts';
import type { AxisTable } from './axis.ts';
import type { Pixels } from './pixels.ts';
import { scratchBytes } from './scratch.ts';

/** What extractor/assembly/pillow-passes.ts exports; addresses and lengths are in bytes. */
interface Passes {
  readonly resizeWidth1: WidthPass;
  readonly resizeWidth3: WidthPass;
  resizeHeight(
    source: number,
    rowLength: number,
    target: number,
    height: number,
    table: number,
    record: number,
    top: number,
  ): void;
}

type WidthPass = (
  source: number,
  sourceRow: number,
  rows: number,
  target: number,
  width: number,
  table: number,
  record: number,
) => void;

/** Pixels in work at a time: as much as stays in a core's cache. */
const BAND_BYTES = 1024 * 1024;
/** WebAssembly's memory never shrinks: beyond this it is thrown away after the image that needed it. */
const KEPT_BYTES = 64 * 1024 * 1024;
/** The passes read and write up to 15 bytes beyond what they are given. */
const MARGIN = 16;
/** The low bits of a weight that are multiplied apart. */
const LOW_BITS = 11;

let passes: Assembly<Passes> | undefined;

/** Every row weighted along its width. */
export function resizeWidth(image: Pixels, axis: AxisTable<Int32Array>): Pixels {
  const { data, height, channels } = image;
  const width = axis.starts.length;
  const sourceRow = image.width * channels;
  const targetRow = width * channels;
  const bandRows = Math.min(height, Math.max(2, Math.floor(BAND_BYTES / sourceRow)));
  const { record, length } = sizeOfTable(axis);
  const source = aligned(length);
  const target = source + aligned(bandRows * sourceRow + MARGIN);
  const out = scratchBytes(targetRow * height);
  withMemory(target + bandRows * targetRow, (memory, { resizeWidth1, resizeWidth3 }) => {
    writeTable(axis, memory);
    const pass = channels === 3 ? resizeWidth3 : resizeWidth1;
    for (let y = 0; y < height; y += bandRows) {
      const rows = Math.min(bandRows, height - y);
      memory.set(data.subarray(y * sourceRow, (y + rows) * sourceRow), source);
      pass(source, sourceRow, rows, target, width, 0, record);
      out.set(memory.subarray(target, target + rows * targetRow), y * targetRow);
    }
  });
  return { data: out, width, height, channels };
}

/** Every column weighted along its height. The image's first row is row `top` of the axis. */
export function resizeHeight(image: Pixels, axis: AxisTable<Int32Array>, top: number): Pixels {
  const { data, width, channels } = image;
  const height = axis.starts.length;
  const rowLength = width * channels;
  const bands = bandsOf(axis, rowLength);
  const mostRows = Math.max(...bands.map(({ inputs }) => inputs));
  const mostOut = Math.max(...bands.map(({ count }) => count));
  const { record, length } = sizeOfTable(axis);
  const source = aligned(length);
  // A weight that fills up a pair is 0, but the row that it stands for is read.
  const target = source + aligned((mostRows + 1) * rowLength + MARGIN);
  const out = scratchBytes(rowLength * height);
  withMemory(target + mostOut * rowLength + MARGIN, (memory, { resizeHeight: pass }) => {
    writeTable(axis, memory);
    for (const { first, count, firstInput, inputs } of bands) {
      const from = (firstInput - top) * rowLength;
      memory.set(data.subarray(from, from + inputs * rowLength), source);
      pass(source, rowLength, target, count, first * record, record, firstInput);
      out.set(memory.subarray(target, target + count * rowLength), first * rowLength);
    }
  });
  return { data: out, width, height, channels };
}

interface Band {
  /** Output rows. */
  readonly first: number;
  readonly count: number;
  /** Rows of the axis that they are made of. */
  readonly firstInput: number;
  readonly inputs: number;
}

/** As many output rows at a time as take BAND_BYTES of input, at least one. */
function bandsOf({ starts, counts }: AxisTable<Int32Array>, rowLength: number): readonly Band[] {
  const bands: Band[] = [];
  for (let first = 0; first < starts.length; ) {
    const firstInput = starts[first] as number;
    const inputsTo = (row: number): number => (starts[row] as number) + (counts[row] as number) - firstInput;
    let end = first + 1;
    while (end < starts.length && inputsTo(end) * rowLength <= BAND_BYTES) end++;
    bands.push({ first, count: end - first, firstInput, inputs: inputsTo(end - 1) });
    first = end;
  }
  return bands;
}

/** A record for each output position: first input, number of pairs, then 8 bytes for each pair of weights. */
function sizeOfTable({ starts, stride }: AxisTable<Int32Array>): { record: number; length: number } {
  const record = 8 + 8 * Math.ceil(stride / 2);
  return { record, length: record * starts.length };
}

/** At address 0. */
function writeTable(axis: AxisTable<Int32Array>, memory: Uint8Array): void {
  const { starts, counts, weights, stride } = axis;
  const { record, length } = sizeOfTable(axis);
  const words = new Int32Array(memory.buffer, 0, length / 4);
  const halves = new Int16Array(memory.buffer, 0, length / 2);
  for (let position = 0; position < starts.length; position++) {
    const taps = counts[position] as number;
    const at = position * record;
    words[at / 4] = starts[position] as number;
    words[at / 4 + 1] = Math.ceil(taps / 2);
    for (let tap = 0; tap < taps + (taps % 2); tap++) {
      const weight = tap < taps ? (weights[position * stride + tap] as number) : 0;
      const pair = at / 2 + 4 + 4 * (tap >> 1) + (tap & 1);
      halves[pair] = weight >> LOW_BITS;
      halves[pair + 2] = weight & ((1 << LOW_BITS) - 1);
    }
  }
}

/** Runs `work` with at least that many bytes of the module's memory. */
function withMemory(bytes: number, work: (memory: Uint8Array, passes: Passes) => void): void {
  passes ??= instantiateAssembly<Passes>();
  const { memory } = passes;
  growTo(memory, bytes);
  work(new Uint8Array(memory.buffer), passes);
  if (memory.buffer.byteLength > KEPT_BYTES) passes = undefined;
}

/** Rounded up, so that what follows begins at a multiple of 16. */
function aligned(bytes: number): number {
  return Math.ceil(bytes / 16) * 16;
}
