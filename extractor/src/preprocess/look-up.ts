// Brings 8-bit levels into the memory of the WebAssembly module that looks up their values, some at a time. For to-tensor.ts.
import { growTo, instantiateAssembly } from './assembly.ts';

/** What extractor/assembly/look-up.ts exports; addresses are in bytes. */
interface LookUp {
  lookUp1(table: number, source: number, target: number, pixels: number): void;
  lookUp3(tables: number, source: number, target: number, pixels: number, first: number): void;
}

/** The values of the 256 levels of each of three channels, one channel behind the other. */
export type ValueTables = Float32Array;

/** Pixels at a time: their values stay in a core's cache until they are copied. */
const PIXELS = 4096;
// The memory: tables, levels, values.
const LEVELS = 3 * 256 * 4;
const VALUES = LEVELS + 3 * PIXELS;

let opened: { readonly module: LookUp; readonly bytes: Uint8Array; readonly floats: Float32Array } | undefined;
let tablesInside: ValueTables | undefined;

/**
 * @param tables must not change: they are known by their identity
 * @param levels one for each value
 * @param channels of a pixel
 * @param reversed the first value of a pixel is that of its last level
 */
export function lookUpValues(
  tables: ValueTables,
  levels: Uint8Array,
  values: Float32Array,
  { channels, reversed }: { readonly channels: 1 | 3; readonly reversed: boolean },
): void {
  opened ??= open();
  const { module, bytes, floats } = opened;
  if (tablesInside !== tables) {
    floats.set(tables);
    tablesInside = tables;
  }
  const most = PIXELS * channels;
  for (let first = 0; first < levels.length; first += most) {
    const count = Math.min(most, levels.length - first);
    bytes.set(levels.subarray(first, first + count), LEVELS);
    if (channels === 1) module.lookUp1(0, LEVELS, VALUES, count);
    else module.lookUp3(0, LEVELS, VALUES, count / 3, reversed ? 2 : 0);
    values.set(floats.subarray(VALUES / 4, VALUES / 4 + count), first);
  }
}

function open(): NonNullable<typeof opened> {
  const module = instantiateAssembly<LookUp>();
  const { memory } = module;
  growTo(memory, VALUES + 3 * PIXELS * 4);
  return { module, bytes: new Uint8Array(memory.buffer), floats: new Float32Array(memory.buffer) };
}
