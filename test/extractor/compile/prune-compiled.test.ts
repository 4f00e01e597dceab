// The bound of the folder of compiled models.
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pruneCompiled } from '../../../extractor/src/compile/prune-compiled.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const HOUR_MS = 3_600_000;

test('what was read longest ago goes first; what was read just now and locks stay', async () => {
  const folder = await temporaryFolder();
  const make = async (name: string, bytes: number, hoursAgo: number): Promise<void> => {
    await writeFile(join(folder, name), new Uint8Array(bytes));
    const made = new Date(Date.now() - 100 * HOUR_MS);
    await utimes(join(folder, name), new Date(Date.now() - hoursAgo * HOUR_MS), made);
  };
  await make('old.onnx', 400, 50);
  await make('older.onnx', 400, 60);
  await make('recent.onnx', 400, 30);
  await make('just-now.onnx', 9000, 0.5);
  await make('a.lock', 400, 70);
  await pruneCompiled(folder, { maxBytes: 9800, keepMs: 24 * HOUR_MS });
  expect((await readdir(folder)).sort()).toEqual(['a.lock', 'just-now.onnx', 'old.onnx', 'recent.onnx']);
  await pruneCompiled(folder, { maxBytes: 1, keepMs: 24 * HOUR_MS });
  expect((await readdir(folder)).sort()).toEqual(['a.lock', 'just-now.onnx']);
});
