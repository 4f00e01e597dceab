// The weight files of a TensorFlow.js model: sizes checked against the manifest, then read as one piece. For its reader.
import { open, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { describeError, hasErrorCode, Refusal } from '../../../shared/src/errors.ts';
import { sizeOfShape } from '../../../shared/src/tensor.ts';

export const WeightSpec = z.looseObject({
  name: z.string(),
  shape: z.array(z.int().min(0)),
  dtype: z.enum(['float32', 'int32', 'bool', 'string', 'complex64']),
  quantization: z.looseObject({ dtype: z.enum(['uint8', 'uint16', 'float16']) }).optional(),
  group: z.string().optional(),
});
export type WeightSpec = z.output<typeof WeightSpec>;

export interface WeightFile {
  readonly path: string;
  readonly bytes: number;
}

/** Bytes of one element as stored. */
export const ELEMENT_BYTES = { float32: 4, int32: 4, bool: 1, complex64: 8, uint8: 1, uint16: 2, float16: 2 } as const;

/**
 * Looks whether the files of one group of weights are there and have the size that the weights need.
 * @throws Refusal `model-unreadable`, naming the file and the expected and found bytes
 */
export async function checkWeightGroup(
  folder: string,
  paths: readonly string[],
  specs: readonly WeightSpec[],
): Promise<WeightFile[]> {
  const expected = expectedBytes(specs);
  const amount = expected === undefined ? 'weights' : `${expected} bytes of weights`;
  const files: WeightFile[] = [];
  for (const name of paths) {
    if (isAbsolute(name) || name.split(/[\\/]/).includes('..')) {
      throw new Refusal('model-unreadable', `Expected weight files beside model.json but it names '${name}'`);
    }
    const path = join(folder, name);
    try {
      const found = await stat(path);
      if (!found.isFile()) throw new Error('It is not a file');
      files.push({ path, bytes: found.size });
    } catch (cause) {
      throw new Refusal('model-unreadable', `Expected ${amount} in ${paths.join(', ')} but ${path} is missing`, {
        hint: `Put all weight files that model.json names into ${folder}.`,
        cause: hasErrorCode(cause, 'ENOENT') ? undefined : new Error(describeError(cause)),
      });
    }
  }
  const received = files.reduce((size, file) => size + file.bytes, 0);
  if (expected === undefined || expected === received) return files;
  throw truncated(amount, files.map(file => `${file.path} (${file.bytes})`).join(', ') || folder, `${received}`);
}

/** The weight bytes of all files, joined: weights may cross from one file into the next. */
export async function readWeights(files: readonly WeightFile[]): Promise<ArrayBuffer> {
  const joined = new Uint8Array(files.reduce((size, file) => size + file.bytes, 0));
  let offset = 0;
  for (const file of files) {
    const handle = await open(file.path);
    try {
      const end = offset + file.bytes;
      while (offset < end) {
        const { bytesRead } = await handle.read(joined, offset, end - offset);
        if (bytesRead === 0) throw truncated(`${file.bytes} bytes`, file.path, `${file.bytes - (end - offset)}`);
        offset += bytesRead;
      }
    } finally {
      await handle.close();
    }
  }
  return joined.buffer;
}

function truncated(expected: string, where: string, received: string): Refusal {
  return new Refusal('model-unreadable', `Expected ${expected} in ${where} but received ${received} bytes`, {
    hint: 'The file may be truncated or belong to another model: copy or convert the model again.',
  });
}

/** Undefined where a weight's size stands only in its own bytes (strings). */
function expectedBytes(specs: readonly WeightSpec[]): number | undefined {
  let bytes = 0;
  for (const { shape, dtype, quantization } of specs) {
    if (dtype === 'string') return undefined;
    bytes += sizeOfShape(shape) * ELEMENT_BYTES[quantization?.dtype ?? dtype];
  }
  return bytes;
}
