// .keras archives: what is in them, and those that are damaged, ambiguous or too large.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { datasetAt } from '../../../extractor/src/models/hdf5-content.ts';
import { openKerasArchive } from '../../../extractor/src/models/keras-archive.ts';
import { bytesOf, temporaryFolder, writeTo } from './keras-files.ts';

const folder = temporaryFolder();
const write = (file: string): string => writeTo(folder, file, bytesOf(file));

test.each(['plain-k3.keras', 'nested-k3.0.keras'])('config, metadata and weights, stored or packed: %s', async file => {
  const archive = await openKerasArchive(write(file));
  expect(JSON.parse(archive.config)).toMatchObject({ class_name: 'Functional' });
  expect(JSON.parse(archive.metadata ?? '')).toMatchObject({ keras_version: '3.15.1' });
  const root = await archive.readWeights({ data: false });
  expect(datasetAt(root, 'layers/dense/vars/0')?.data).toBeUndefined();
  const whole = await archive.readWeights({ data: true });
  expect(datasetAt(whole, 'layers/dense/vars/0')?.data).toBeInstanceOf(Float32Array);
});

test.each([
  ['zip-no-config.keras', 'one without config.json'],
  ['zip-npz.keras', 'one without model.weights.h5 but with model.weights.npz: save it with h5 weights'],
  ['zip-twice.keras', 'one with two members named config.json'],
  ['zip-outside.keras', 'invalid relative path: ../model.weights.h5'],
  ['zip-encrypted.keras', 'one whose config.json is encrypted'],
])('%s is refused', async (file, reason) => {
  const path = write(file);
  await expect(openKerasArchive(path)).rejects.toMatchObject({
    code: 'model-unreadable',
    message: `Expected a .keras archive at ${path} but received ${reason}`,
  });
});

test('weights that unpack to far more than the archive are refused before they are unpacked', async () => {
  const archive = await openKerasArchive(write('zip-bomb.keras'));
  await expect(archive.readWeights({ data: false })).rejects.toThrow(
    /model\.weights\.h5 unpacks to 209715208 bytes, more than \d+/,
  );
});

test('weights that unpack to more than they declare are refused', async () => {
  const archive = await openKerasArchive(write('zip-more-than-declared.keras'));
  await expect(archive.readWeights({ data: false })).rejects.toThrow('too many bytes in the stream. expected 1000');
});

test('a changed number is found by the checksum', async () => {
  const path = write('plain-k3.keras');
  const bytes = readFileSync(path);
  // The last bytes of the weights stand right before the directory.
  const at = bytes.lastIndexOf('PK\x01\x02', bytes.lastIndexOf('PK\x05\x06'), 'latin1');
  const directory = bytes.indexOf('PK\x01\x02', 0, 'latin1');
  expect(directory).toBeLessThanOrEqual(at);
  bytes[directory - 1] = (bytes[directory - 1] ?? 0) ^ 1;
  const archive = await openKerasArchive(writeTo(folder, 'changed.keras', bytes));
  await expect(archive.readWeights({ data: true })).rejects.toThrow('model.weights.h5 does not match its checksum');
});

test('a truncated archive, a folder and nothing at all are refused', async () => {
  const cut = writeTo(folder, 'cut.keras', bytesOf('plain-k3.keras').subarray(0, 20_000));
  await expect(openKerasArchive(cut)).rejects.toThrow(/end of central directory record signature not found/i);
  await expect(openKerasArchive(folder)).rejects.toThrow(`${folder} but received a folder`);
  await expect(openKerasArchive(`${folder}/absent.keras`)).rejects.toThrow('absent.keras but received no such file');
});
