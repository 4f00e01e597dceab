// Files that NumPy itself wrote, read number by number; what is no array of numbers is refused with the remedy.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseNpy, readNpyFile } from '../../../cli/src/certify/npy.ts';
import { skipAllWithout, whyNot } from '../../support/needs.ts';
import { runPython } from '../../support/python.ts';
import { refusalOf } from '../../support/refusal.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let bytes: Readonly<Record<string, Buffer>>;

skipAllWithout('python');

beforeAll(async () => {
  if (whyNot('python') !== undefined) return;
  const encoded = await runPython<Record<string, string>>(`
import base64, io
import numpy as np
values = np.array([[0.1, -2.5, 6.0e-8], [65504.0, 0.0, -1.0e-5]])
def saved(array, **options):
    file = io.BytesIO()
    if options: np.lib.format.write_array(file, array, **options)
    else: np.save(file, array)
    return base64.b64encode(file.getvalue()).decode()
print(json.dumps({
  'float16': saved(values.astype('float16')),
  'float32': saved(values.astype('float32')),
  'float64': saved(values),
  'version2': saved(values, version=(2, 0)),
  'fortran': saved(np.asfortranarray(values)),
  'bigEndian': saved(values.astype('>f4')),
  'integers': saved(np.arange(6)),
  'objects': saved(np.array([{}, None], dtype=object)),
  'vector': saved(values[0]),
  'half': base64.b64encode(np.array([0x7c00, 0xfc00, 0x0001, 0x03ff, 0x0400, 0x8000], '<u2').tobytes()).decode(),
}))
`);
  bytes = Object.fromEntries(Object.entries(encoded).map(([name, text]) => [name, Buffer.from(text, 'base64')]));
});

function file(name: string): Buffer {
  return bytes[name] ?? Buffer.alloc(0);
}

describe('arrays of NumPy', () => {
  test.each([
    ['float16', [0.0999755859375, -2.5, 2 ** -24, 65504, 0, -1.0013580322265625e-5]],
    ['float32', [0.1, -2.5, 6e-8, 65504, 0, -1e-5].map(Math.fround)],
    ['float64', [0.1, -2.5, 6e-8, 65504, 0, -1e-5]],
    ['version2', [0.1, -2.5, 6e-8, 65504, 0, -1e-5]],
  ])('of %s are read without rounding', (name, values) => {
    const { shape, data } = parseNpy(file(name), name);
    expect(shape).toEqual([2, 3]);
    expect([...data]).toEqual(values);
  });

  test('of one axis have one axis', () => {
    expect(parseNpy(file('vector'), 'vector').shape).toEqual([3]);
  });

  test('keep infinities and the smallest halves', () => {
    const header = file('float16').subarray(0, file('float16').length - 12);
    const { data } = parseNpy(Buffer.concat([header, file('half')]), 'half');
    expect([...data]).toEqual([
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      2 ** -24,
      1023 * 2 ** -24,
      2 ** -14,
      -0,
    ]);
  });

  test('are read from a file at any offset of its buffer', async () => {
    const path = join(await temporaryFolder(), 'features.npy');
    await writeFile(path, file('float32'));
    expect([...(await readNpyFile(path)).data]).toEqual([...parseNpy(await readFile(path), path).data]);
  });
});

describe('refused, saying what came', () => {
  test.each([
    ['fortran', /C order.*Fortran order/],
    ['bigEndian', /little-endian.*>f4/],
    ['integers', /float16, float32 or float64.*<i8/],
    ['objects', /pickled Python objects/],
  ])('%s', (name, message) => {
    expect(() => parseNpy(file(name), 'features.npy')).toThrow(message);
  });

  test('a file that was cut short, anywhere', () => {
    const whole = file('float32');
    for (const length of [0, 5, 11, 40, whole.length - 1]) {
      expect(() => parseNpy(whole.subarray(0, length), 'features.npy')).toThrow(/in the NumPy file 'features\.npy'/);
    }
  });

  test('a file that is not there', async () => {
    await refusalOf(() => readNpyFile('/nowhere/features.npy'), 'source-unreadable');
  });
});
