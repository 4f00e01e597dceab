// Folders made step by step: what `mkdir` with `recursive` does, also where that never returns.
import { readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { makeFolders } from '../../shared/src/make-folders.ts';
import { openFileStorage } from '../../shared/src/storages/file.ts';
import { because, whyNot } from '../support/needs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test('makes what is missing, and is content with what stands', async () => {
  const root = await temporaryFolder();
  const path = join(root, 'a', 'b', 'c');
  await Promise.all(Array.from({ length: 20 }, () => makeFolders(path)));
  await makeFolders(path);
  await writeFile(join(path, 'file'), '');
  await symlink(path, join(root, 'link'));
  await makeFolders(join(root, 'link', 'd'));
});

test('says what stands in the way', async () => {
  const root = await temporaryFolder();
  await writeFile(join(root, 'file'), '');
  await expect(makeFolders(join(root, 'file'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  await expect(makeFolders(join(root, 'file', 'a', 'b'))).rejects.toMatchObject({ code: 'ENOTDIR' });
});

const notLinux = whyNot('linux');

test.skipIf(notLinux)(`ends below /proc, where no folder can be made${because(notLinux)}`, async () => {
  await expect(makeFolders('/proc/nope')).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(makeFolders('/proc/nope/deeper')).rejects.toMatchObject({ code: 'ENOENT' });
  const storage = openFileStorage('/proc/nope');
  await expect(storage.createOnce('run.json', new Uint8Array(1))).rejects.toMatchObject({ code: 'output-unwritable' });
});

test('no source has `mkdir` with `recursive`', async () => {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const found: string[] = [];
  for (const room of ['shared', 'extractor', 'services', 'setup', 'cli', 'demo'])
    for (const name of await readdir(join(root, room), { recursive: true })) {
      if (!/\.ts$/.test(name) || name.includes('node_modules')) continue;
      if (/\bmkdir\([^;]*recursive: true/.test(await readFile(join(root, room, name), 'utf8'))) found.push(name);
    }
  expect(found).toEqual([]);
});
