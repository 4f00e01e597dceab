// The few numbers of one small weight, read from the shards without the rest of them. To see what a graph does to its input.
import { open } from 'node:fs/promises';
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import type { GraphModelFiles } from './tfjs-graph-model-files.ts';
import { ELEMENT_BYTES, type WeightSpec } from './tfjs-weights.ts';

/** More values than an image has channels are no scale or shift. */
const MOST_VALUES = 4;

/** Dequantised; undefined where the weight isn't there, is large, or is of a type without plain numbers. */
export async function readWeightValues(
  { weightFiles, weightSpecs }: Pick<GraphModelFiles, 'weightFiles' | 'weightSpecs'>,
  name: string,
): Promise<readonly number[] | undefined> {
  let start = 0;
  for (const spec of weightSpecs) {
    const stored = spec.quantization?.dtype ?? spec.dtype;
    if (stored === 'string') return undefined; // Where it ends stands only in its bytes.
    const bytes = sizeOfShape(spec.shape) * ELEMENT_BYTES[stored];
    if (spec.name === name) {
      const count = sizeOfShape(spec.shape);
      return count > MOST_VALUES || count === 0
        ? undefined
        : valuesOf(spec, await readRange(weightFiles, start, bytes));
    }
    start += bytes;
  }
  return undefined;
}

/** Bytes that may cross from one file into the next. */
async function readRange(files: GraphModelFiles['weightFiles'], start: number, length: number): Promise<Buffer> {
  const range = Buffer.alloc(length);
  let fileStart = 0;
  for (const file of files) {
    const from = Math.max(start, fileStart);
    const to = Math.min(start + length, fileStart + file.bytes);
    if (from < to) {
      const handle = await open(file.path);
      try {
        await handle.read(range, from - start, to - from, from - fileStart);
      } finally {
        await handle.close();
      }
    }
    fileStart += file.bytes;
  }
  return range;
}

function valuesOf({ dtype, quantization }: WeightSpec, bytes: Buffer): readonly number[] | undefined {
  const { scale = 1, min = 0 } = (quantization ?? {}) as { scale?: number; min?: number };
  const stored = quantization?.dtype ?? dtype;
  if (stored === 'float32') return read(bytes, 4, at => bytes.readFloatLE(at));
  if (stored === 'int32') return read(bytes, 4, at => bytes.readInt32LE(at));
  if (stored === 'uint8') return read(bytes, 1, at => bytes.readUInt8(at) * scale + min);
  if (stored === 'uint16') return read(bytes, 2, at => bytes.readUInt16LE(at) * scale + min);
  return undefined;
}

function read(bytes: Buffer, size: number, valueAt: (offset: number) => number): number[] {
  return Array.from({ length: bytes.length / size }, (_, index) => valueAt(index * size));
}
