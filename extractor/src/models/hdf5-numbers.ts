// Numbers of an HDF5 dataset as float32, read piece by piece. For hdf5-walk.ts.
import { decodeHalf } from '../../../shared/src/half-float.ts';
import type { Hdf5Metadata, OpenHdf5 } from './hdf5-library.ts';

export interface NumberType {
  readonly name: string;
  /** Values of little-endian bytes; shares memory with them where they are float32. */
  readonly decode: (bytes: Uint8Array) => Float32Array;
}

/** How much of a dataset is in the library's memory at a time, besides what HDF5 itself takes. */
const PIECE_BYTES = 32 * 2 ** 20;

/** Classes of types in HDF5's numbering. */
const INTEGER = 0;
const FLOAT = 1;
const OPAQUE = 5;
const ENUMERATION = 8;

/**
 * @param declared the dataset's own `dtype` attribute, which Keras writes for bfloat16
 * @returns undefined for what is no number
 */
export function numberType(metadata: Hdf5Metadata, declared?: string): NumberType | undefined {
  const { type, size, signed, vlen } = metadata;
  if (vlen) return undefined;
  if (size === 2 && declared === 'bfloat16' && (type === FLOAT || type === OPAQUE)) {
    return { name: 'bfloat16', decode: decodeBfloat16 };
  }
  if (type === FLOAT) return FLOATS.get(size);
  // An enumeration is how h5py stores booleans.
  if (type === INTEGER || type === ENUMERATION) return INTEGERS.get(signed ? -size : size);
  return undefined;
}

const FLOATS: ReadonlyMap<number, NumberType> = new Map([
  [2, { name: 'float16', decode: decodeFloat16 }],
  [4, { name: 'float32', decode: bytes => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4) }],
  [8, { name: 'float64', decode: bytes => Float32Array.from(new Float64Array(aligned(bytes, 8))) }],
]);

/** By size in bytes, negative for signed ones. */
const INTEGERS: ReadonlyMap<number, NumberType> = new Map([
  [-1, { name: 'int8', decode: bytes => Float32Array.from(new Int8Array(aligned(bytes, 1))) }],
  [1, { name: 'uint8', decode: bytes => Float32Array.from(bytes) }],
  [-2, { name: 'int16', decode: bytes => Float32Array.from(new Int16Array(aligned(bytes, 2))) }],
  [2, { name: 'uint16', decode: bytes => Float32Array.from(new Uint16Array(aligned(bytes, 2))) }],
  [-4, { name: 'int32', decode: bytes => Float32Array.from(new Int32Array(aligned(bytes, 4))) }],
  [4, { name: 'uint32', decode: bytes => Float32Array.from(new Uint32Array(aligned(bytes, 4))) }],
  [-8, { name: 'int64', decode: bytes => Float32Array.from(new BigInt64Array(aligned(bytes, 8)), Number) }],
  [8, { name: 'uint64', decode: bytes => Float32Array.from(new BigUint64Array(aligned(bytes, 8)), Number) }],
]);

/**
 * All numbers of a dataset.
 * @param size bytes of one number as stored
 */
export function readNumbers(
  hdf5: OpenHdf5,
  path: string,
  shape: readonly number[],
  size: number,
  type: NumberType,
): Float32Array {
  const { library, file, check } = hdf5;
  const count = shape.reduce((product, axis) => product * axis, 1);
  const values = new Float32Array(count);
  if (count === 0) return values;
  const rows = shape[0] ?? 1;
  const rowSize = count / rows;
  const rowsAtOnce = Math.max(1, Math.min(rows, Math.floor(PIECE_BYTES / (rowSize * size))));
  const pointer = library._malloc(rowsAtOnce * rowSize * size);
  if (pointer === 0) throw new Error(`${rowsAtOnce * rowSize * size} bytes in one piece at ${path}`);
  try {
    for (let row = 0; row < rows; row += rowsAtOnce) {
      const taken = Math.min(rowsAtOnce, rows - row);
      const all = taken === rows;
      const start = shape.map((_, axis) => BigInt(axis === 0 ? row : 0));
      const extent = shape.map((length, axis) => BigInt(axis === 0 ? taken : length));
      const status = check(() =>
        library.get_dataset_data(
          file,
          `/${path}`,
          all ? null : extent,
          all ? null : start,
          all ? null : shape.map(() => 1n),
          BigInt(pointer),
        ),
      );
      if (status < 0) throw new Error(`numbers that cannot be read at ${path}`);
      const bytes = library.HEAPU8.subarray(pointer, pointer + taken * rowSize * size);
      values.set(type.decode(bytes), row * rowSize);
    }
  } finally {
    library._free(pointer);
  }
  return values;
}

/** A buffer of its own that starts at a multiple of an element. */
function aligned(bytes: Uint8Array, size: number): ArrayBuffer {
  return bytes.slice(0, bytes.byteLength - (bytes.byteLength % size)).buffer as ArrayBuffer;
}

function decodeBfloat16(bytes: Uint8Array): Float32Array {
  // The upper half of a float32.
  return new Float32Array(Uint32Array.from(new Uint16Array(aligned(bytes, 2)), half => half << 16).buffer);
}

function decodeFloat16(bytes: Uint8Array): Float32Array {
  return decodeHalf(new Uint16Array(aligned(bytes, 2)));
}
