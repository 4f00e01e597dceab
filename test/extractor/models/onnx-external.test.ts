// ONNX models with weights in other files: whole, missing, cut off, and named by paths that lead elsewhere.
import { cp, mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openModel } from '../../../extractor/src/model.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { externalTensor, KERNEL, node, onnxModel, valueInfo } from '../onnx-model.ts';

const GOLDEN = fileURLToPath(new URL('golden/onnx', import.meta.url));
const KERNEL_BYTES = KERNEL.byteLength;

describe('weights in other files', () => {
  test('are part of the digest, each of them', async () => {
    const path = await copyGolden();
    const before = await openModel(path);
    expect((await openModel(path)).sha256).toBe(before.sha256);
    for (const name of ['parts/first.bin', 'second.bin']) {
      const again = await copyGolden();
      await writeFile(join(again, '..', name), 'x', { flag: 'a' });
      expect((await openModel(again)).sha256, name).not.toBe(before.sha256);
    }
  });

  test('are found wherever the process stands, in a folder with any name', async () => {
    const folder = join(await temporaryFolder(), 'größe # 1');
    await cp(GOLDEN, folder, { recursive: true });
    const model = await openModel(join(folder, 'external.onnx'));
    expect(await model.shapesFor([16, 12, 3], ['logits'])).toEqual([[5]]);
  });

  test('missing or cut off are named with the bytes expected', async () => {
    const path = await copyGolden();
    const second = join(path, '..', 'second.bin');
    await truncate(second, 300);
    await expect(openModel(path)).rejects.toMatchObject({
      code: 'model-unreadable',
      message: `Expected at least 340 bytes with the weight 'query' in ${second} but received 300 bytes`,
    });
    await rm(second);
    await expect(openModel(path)).rejects.toMatchObject({
      code: 'model-unreadable',
      message: `Expected at least 340 bytes with the weight 'query' in ${second} but received no such file`,
    });
    await mkdir(second);
    await expect(openModel(path)).rejects.toMatchObject({
      message: expect.stringContaining('received something else'),
    });
  });

  test('without a length of their own must hold what their shape takes', async () => {
    const path = await save('weights.bin', {});
    await writeFile(join(path, '..', 'weights.bin'), new Uint8Array(KERNEL_BYTES - 1));
    await expect(openModel(path)).rejects.toMatchObject({
      message: expect.stringContaining(`at least ${KERNEL_BYTES} bytes with the weight 'kernel'`),
    });
    await writeFile(join(path, '..', 'weights.bin'), new Uint8Array(KERNEL.buffer));
    expect(await (await openModel(path)).shapesFor([8, 6, 3], ['conv'])).toEqual([[6, 4, 4]]);
  });
});

describe('a path that leads out of the folder of the model is refused, whatever lies there:', () => {
  test.each([
    '../weights.bin',
    'parts/../../weights.bin',
    '..\\weights.bin',
    '/etc/hostname',
    'C:\\weights.bin',
    '..',
    '',
    'weights\0.bin',
  ])('%j', async location => {
    const path = await save(location, {});
    await writeFile(join(path, '../../weights.bin'), new Uint8Array(KERNEL.buffer));
    await expect(openModel(path)).rejects.toMatchObject({
      code: 'model-unreadable',
      message: expect.stringContaining("Expected the weight 'kernel' in a file inside"),
    });
  });

  test('a link to a file outside', async () => {
    const path = await save('weights.bin', {});
    const outside = join(path, '../../weights.bin');
    await writeFile(outside, new Uint8Array(KERNEL.buffer));
    await symlink(outside, join(path, '..', 'weights.bin'));
    await expect(openModel(path)).rejects.toMatchObject({
      code: 'model-unreadable',
      message: expect.stringContaining(`→ ${outside}`),
    });
    await rm(join(path, '..', 'weights.bin'));
    await rename(outside, join(path, '..', 'other.bin'));
    await symlink('other.bin', join(path, '..', 'weights.bin'));
    expect(await (await openModel(path)).shapesFor([8, 6, 3], ['conv'])).toEqual([[6, 4, 4]]);
  });
});

test('offsets and lengths that are no numbers are damage', async () => {
  const entries: readonly Readonly<Record<string, string>>[] = [
    { offset: '-8' },
    { length: '1e9' },
    { length: '99999999999999999999' },
  ];
  for (const entry of entries) {
    await expect(openModel(await save('weights.bin', entry))).rejects.toMatchObject({ code: 'model-unreadable' });
  }
});

test('a model of 2 GiB and more is refused without being read, with the way to have no bound', async () => {
  const path = join(await temporaryFolder(), 'large.onnx');
  await writeFile(path, '');
  await truncate(path, 2 ** 31);
  await expect(openModel(path)).rejects.toMatchObject({
    code: 'model-unreadable',
    message: `Expected an ONNX model of less than 2 GiB in ${path} but received 2147483648 bytes`,
    hint: expect.stringContaining('save_as_external_data=True'),
  });
});

async function copyGolden(): Promise<string> {
  const folder = join(await temporaryFolder(), 'model');
  await cp(GOLDEN, folder, { recursive: true });
  return join(folder, 'external.onnx');
}

/** A convolution whose kernel lies at `location`. */
async function save(location: string, entries: Readonly<Record<string, string>>): Promise<string> {
  const folder = join(await temporaryFolder(), 'model');
  await mkdir(join(folder, 'parts'), { recursive: true });
  const path = join(folder, 'conv.onnx');
  const model = onnxModel({
    nodes: [node('Conv', ['image', 'kernel'], 'conv')],
    weights: [externalTensor('kernel', [4, 3, 3, 3], { location, ...entries })],
    inputs: [valueInfo('image', [null, 3, 8, 6])],
    outputs: [valueInfo('conv', [])],
  });
  await writeFile(path, model);
  return path;
}
