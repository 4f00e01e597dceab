// Reads NumPy's .npy files (format 1 to 3, numbers in C order) into float64-safe typed arrays: for references of features.
import { readFile } from 'node:fs/promises';
import { describeError, Refusal } from '../../../shared/src/errors.ts';
import { sizeOfShape } from '../../../shared/src/tensor.ts';

export interface NpyArray {
  readonly shape: readonly number[];
  /** float16 and float32 become float32, float64 stays: nothing is rounded. */
  readonly data: Float32Array | Float64Array;
}

const MAGIC = '\x93NUMPY';
/** Element types that a reference of features can have, by NumPy's own code; `<` is little-endian, what every PC writes. */
const BYTES: Readonly<Record<string, number>> = { '<f2': 2, '<f4': 4, '<f8': 8 };

export async function readNpyFile(path: string): Promise<NpyArray> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new Refusal(
      'source-unreadable',
      `Expected a NumPy file at '${path}' but cannot read it: ${describeError(cause)}`,
      {
        cause,
      },
    );
  }
  return parseNpy(bytes, path);
}

/**
 * @param name for messages
 * @throws Refusal `source-unreadable`
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export function parseNpy(bytes: Uint8Array, name: string): NpyArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || ascii(bytes, 0, 6) !== MAGIC) throw refuse(name, "NumPy's signature", 'other bytes');
  const version = bytes[6] ?? 0;
  if (version < 1 || version > 3) throw refuse(name, 'format 1, 2 or 3', `format ${version}`);
  const headerBytes = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const headerStart = version === 1 ? 10 : 12;
  const start = headerStart + headerBytes;
  if (start > bytes.length) throw refuse(name, `a header of ${headerBytes} bytes`, `${bytes.length} bytes in all`);
  const { type, fortran, shape } = parseHeader(ascii(bytes, headerStart, start), name);
  const size = BYTES[type];
  if (size === undefined) {
    throw refuse(name, `float16, float32 or float64 in little-endian order`, `the element type ${type}`);
  }
  if (fortran && shape.length > 1)
    throw refuse(name, 'C order', 'Fortran order', 'Save np.ascontiguousarray(features).');
  const count = sizeOfShape(shape);
  if (bytes.length - start !== count * size) {
    throw refuse(name, `${count * size} bytes for shape (${shape.join(', ')})`, `${bytes.length - start}`);
  }
  return { shape, data: decode(view, start, count, type) };
}

interface Header {
  readonly type: string;
  readonly fortran: boolean;
  readonly shape: readonly number[];
}

/** A Python dictionary literal, always written with these three keys. */
function parseHeader(text: string, name: string): Header {
  const type = /'descr':\s*'([^']+)'/.exec(text)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  const axes = /'shape':\s*\(([^)]*)\)/.exec(text)?.[1];
  if (type === undefined || order === undefined || axes === undefined) {
    throw refuse(name, 'a header with descr, fortran_order and shape', `'${text.slice(0, 100).trim()}'`);
  }
  if (type.includes('O')) {
    throw refuse(name, 'numbers', 'pickled Python objects', 'Save one array: np.save(path, np.stack(features)).');
  }
  const shape = axes
    .split(',')
    .map(axis => axis.trim())
    .filter(axis => axis !== '')
    .map(Number);
  if (shape.some(axis => !Number.isSafeInteger(axis) || axis < 0)) throw refuse(name, 'a shape', `(${axes})`);
  return { type, fortran: order === 'True', shape };
}

function decode(view: DataView, start: number, count: number, type: string): Float32Array | Float64Array {
  if (type === '<f8') {
    const data = new Float64Array(count);
    for (let i = 0; i < count; i++) data[i] = view.getFloat64(start + i * 8, true);
    return data;
  }
  const data = new Float32Array(count);
  if (type === '<f4') for (let i = 0; i < count; i++) data[i] = view.getFloat32(start + i * 4, true);
  else for (let i = 0; i < count; i++) data[i] = halfToNumber(view.getUint16(start + i * 2, true));
  return data;
}

/** IEEE 754 binary16. */
function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function ascii(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
}

function refuse(name: string, expected: string, received: string, hint?: string): Refusal {
  return new Refusal(
    'source-unreadable',
    `Expected ${expected} in the NumPy file '${name}' but received ${received}`,
    hint === undefined ? {} : { hint },
  );
}
