// The reader of HDF5 files: every type of number and text that Keras or h5py writes, and files that are not what they should be.
import { expect, test } from 'vitest';
import { type Hdf5ReadOptions, readHdf5 } from '../../../extractor/src/models/hdf5.ts';
import {
  datasetAt,
  groupAt,
  type Hdf5Group,
  listAttribute,
  textAttribute,
} from '../../../extractor/src/models/hdf5-content.ts';
import { missing, whyNoShared } from '../shared-material.ts';
import { bytesOf, temporaryFolder, writeTo } from './keras-files.ts';

const folder = temporaryFolder();
const RAMP = Array.from({ length: 24 }, (_, i) => i);

const read = (file: string, options: Partial<Hdf5ReadOptions> = {}): Promise<Hdf5Group> =>
  readHdf5({ path: writeTo(folder, file, bytesOf(file)) }, { data: true, ...options });

test.each(['numbers.h5', 'numbers-latest.h5'])('all types of numbers come as float32: %s', async file => {
  const root = await read(file);
  for (const type of [
    'float16',
    'float32',
    'float64',
    'int8',
    'uint8',
    'int16',
    'int32',
    'int64',
    'uint32',
    'packed',
  ]) {
    const dataset = datasetAt(root, type);
    expect(dataset?.shape, type).toEqual([2, 3, 4]);
    expect(dataset?.dtype, type).toBe(type === 'packed' ? 'float32' : type);
    expect([...(dataset?.data ?? [])], type).toEqual(RAMP);
  }
  expect([...(datasetAt(root, '>f4')?.data ?? [])]).toEqual(RAMP);
  expect([...(datasetAt(root, '>i2')?.data ?? [])]).toEqual(RAMP);
  expect([...(datasetAt(root, 'bool')?.data ?? [])]).toEqual(RAMP.map(value => value % 2));
  expect([...(datasetAt(root, 'halves')?.data ?? [])]).toEqual([0.5, -2, 2 ** -24, 65504, Number.POSITIVE_INFINITY]);
  expect(datasetAt(root, 'scalar')).toMatchObject({ shape: [], data: new Float32Array([1.5]) });
  expect(datasetAt(root, 'nothing')).toMatchObject({ shape: [0, 3], data: new Float32Array() });
  expect(datasetAt(root, 'texts')).toMatchObject({ dtype: 'other', data: undefined });
});

test('texts are UTF-8, of fixed or variable length, and may be long', async () => {
  const root = await read('numbers.h5');
  expect(textAttribute(root, 'utf8')).toBe('Schicht-ä');
  expect(textAttribute(root, 'bytes')).toBe('Schicht-ä');
  expect(listAttribute(root, 'fixed')).toEqual(['é', 'abc']);
  expect(textAttribute(root, 'long')).toHaveLength(100_000);
  expect(root.attributes.get('count')).toBe(3);
  expect(textAttribute(root, 'absent')).toBeUndefined();
});

test('shapes alone come without numbers, and groups can be left out', async () => {
  const root = await read('plain-k2.h5', { data: false, without: ['optimizer_weights'] });
  expect(datasetAt(root, 'model_weights/conv_a/conv_a/kernel:0')).toMatchObject({
    shape: [3, 3, 3, 4],
    data: undefined,
  });
  expect(groupAt(await read('plain-k2.h5', { without: ['model_weights'] }), 'model_weights')).toBeUndefined();
});

test('bytes in memory and a stretch of a file read like a file', async () => {
  const bytes = new Uint8Array(bytesOf('numbers.h5'));
  const framed = new Uint8Array(bytes.byteLength + 20);
  framed.set(bytes, 7);
  const path = writeTo(folder, 'framed', framed);
  const size = bytes.byteLength;
  const fromFile = await readHdf5({ path, offset: 7, bytes: size }, { data: true });
  const fromMemory = await readHdf5({ buffer: bytes }, { data: true });
  expect(fromFile).toEqual(await read('numbers.h5'));
  expect(fromMemory).toEqual(fromFile);
});

test.each([
  ['link-soft.h5', 'a link to /a at b'],
  ['link-external.h5', 'a link to /etc/hostname at b'],
  ['link-circle.h5', 'groups nested deeper than 32'],
  ['data-external.h5', 'unable to open external raw data file'],
  ['data-virtual.h5', 'a dataset kept in other files at a'],
  ['bomb-unwritten.h5', 'content that unpacks to more than 16 times the file and 64 MiB, at a'],
  ['bomb-packed.h5', 'content that unpacks to more than 16 times the file and 64 MiB, at a'],
])('%s is refused', async (file, reason) => {
  await expect(read(file)).rejects.toMatchObject({
    name: 'Refusal',
    code: 'model-unreadable',
    message: `Expected a whole HDF5 file in ${folder}/${file} but received ${reason}`,
  });
});

test('a file of another format and one that is not there are refused', async () => {
  const path = writeTo(folder, 'other.h5', Buffer.from('{"a": 1}'));
  await expect(readHdf5({ path }, { data: true })).rejects.toThrow(`${path} but received 8 bytes of another format`);
  const absent = `${folder}/absent.h5`;
  await expect(readHdf5({ path: absent }, { data: true })).rejects.toThrow(`${absent} but received no such file`);
});

test('a reading that takes too long is ended', async () => {
  await expect(read('numbers.h5', { timeLimitMs: 0 })).rejects.toThrow('one that takes more than 0.0 s to read');
});

test('a reading that is not wanted any more is ended', async () => {
  const aborting = new AbortController();
  const reading = read('numbers.h5', { signal: aborting.signal });
  aborting.abort(new Error('enough'));
  await expect(reading).rejects.toThrow('enough');
});

const REAL = new URL('../../../../shared/data/models/keras-h5/mbnet128_0.25.h5', import.meta.url).pathname;

test.skipIf(missing(REAL))(`a real model of Keras 2.8${whyNoShared(REAL)}`, async () => {
  const root = await readHdf5({ path: REAL }, { data: true });
  expect(JSON.parse(textAttribute(root, 'model_config') ?? '')).toMatchObject({ class_name: 'Functional' });
  const weights = groupAt(root, 'model_weights');
  if (weights === undefined) throw new Error('Expected model_weights');
  expect(listAttribute(weights, 'layer_names')).toHaveLength(90);
});
