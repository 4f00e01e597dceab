// The bound of the folder of compiled models.
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pruneCompiled } from '../../../extractor/src/compile/prune-compiled.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const HOUR_MS = 3_600_000;

test('what was used longest ago goes first, what was used just now and what is being made stay', async () => {
  const root = await temporaryFolder();
  const make = async (name: string, bytes: number, hoursAgo: number | undefined): Promise<void> => {
    await mkdir(join(root, name));
    await writeFile(join(root, name, 'model.onnx'), new Uint8Array(bytes));
    if (hoursAgo === undefined) return;
    const time = new Date(Date.now() - hoursAgo * HOUR_MS);
    await writeFile(join(root, name, 'compiled.json'), '');
    await utimes(join(root, name, 'compiled.json'), time, time);
  };
  await make('old', 400, 50);
  await make('older', 400, 60);
  await make('recent', 400, 30);
  await make('just now', 9000, 0.5);
  await make('being made', 9000, undefined);
  await writeFile(join(root, 'a.lock'), '');
  await pruneCompiled(root, 'compiled.json', { maxBytes: 9800, keepMs: 24 * HOUR_MS });
  expect((await readdir(root)).sort()).toEqual(['a.lock', 'being made', 'just now', 'old', 'recent']);
  await pruneCompiled(root, 'compiled.json', { maxBytes: 1, keepMs: 24 * HOUR_MS });
  expect((await readdir(root)).sort()).toEqual(['a.lock', 'being made', 'just now']);
});
