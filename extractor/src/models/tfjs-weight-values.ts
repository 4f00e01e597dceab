// The numbers of one weight of a TensorFlow.js model, from the bytes of its shards: for the readers of layers and of graph models.
import { open } from 'node:fs/promises';
import { Refusal } from '../../../shared/src/errors.ts';
import { decodeHalf } from '../../../shared/src/half-float.ts';
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import type { GraphModelFiles } from './tfjs-graph-model-files.ts';
import { ELEMENT_BYTES, type WeightSpec } from './tfjs-weights.ts';

/** More values than an image has channels are no scale or shift. */
const MOST_VALUES = 4;

/**
 * Quantised values are `stored × scale + min` in float64, rounded once to float32 (those of integers to whole numbers), as
 * `decodeWeight` of TensorFlow.js computes them.
 * @param bytes a buffer of their own
 * @throws Refusal `model-unreadable` for quantised values without their scale
 */
export function decodeWeight(spec: WeightSpec, bytes: ArrayBuffer): Float32Array {
  const { name, dtype, quantization } = spec;
  if (quantization === undefined) {
    if (dtype === 'float32') return new Float32Array(bytes);
    return Float32Array.from(dtype === 'int32' ? new Int32Array(bytes) : new Uint8Array(bytes));
  }
  if (quantization.dtype === 'float16') return decodeHalf(new Uint16Array(bytes));
  const { min, scale } = quantization;
  if (typeof min !== 'number' || typeof scale !== 'number') {
    throw new Refusal(
      'model-unreadable',
      `Expected min and scale of the quantised weight '${name}' but received none`,
      {
        hint: 'The weight manifest in model.json is incomplete: convert the model again.',
      },
    );
  }
  const stored = quantization.dtype === 'uint8' ? new Uint8Array(bytes) : new Uint16Array(bytes);
  const value = (number: number): number => number * scale + min;
  return Float32Array.from(stored, dtype === 'float32' ? value : number => Math.round(value(number)));
}

/**
 * One small weight without the rest of them, to see what a graph does to its input; undefined where the weight isn't
 * there, is large, or is no number.
 * @throws Refusal as `decodeWeight`
 */
export async function readWeightValues(
  { weightFiles, weightSpecs }: Pick<GraphModelFiles, 'weightFiles' | 'weightSpecs'>,
  name: string,
): Promise<readonly number[] | undefined> {
  let start = 0;
  for (const spec of weightSpecs) {
    const { dtype, quantization } = spec;
    if (dtype === 'string') return undefined; // Where it ends stands only in its bytes.
    const count = sizeOfShape(spec.shape);
    const bytes = count * ELEMENT_BYTES[quantization?.dtype ?? dtype];
    if (spec.name === name) {
      const isSmall = count > 0 && count <= MOST_VALUES;
      if (!isSmall || (dtype !== 'float32' && dtype !== 'int32')) return undefined;
      return [...decodeWeight(spec, await readRange(weightFiles, start, bytes))];
    }
    start += bytes;
  }
  return undefined;
}

/** Bytes that may cross from one file into the next. */
async function readRange(files: GraphModelFiles['weightFiles'], start: number, length: number): Promise<ArrayBuffer> {
  const range = new Uint8Array(length);
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
  return range.buffer;
}
