// What is remembered: by question and build, whole or not at all.
import { chmod, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { remember } from '../../setup/src/remember.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('remember', () => {
  it('computes once for a question and a build', async () => {
    const folder = await temporaryFolder();
    let computed = 0;
    const ask = (question: unknown, stamp = 'build 1'): Promise<readonly number[]> =>
      remember(question, async () => [++computed], { folder, stamp });
    expect(await ask(['shapes', [1, 2]])).toEqual([1]);
    expect(await ask(['shapes', [1, 2]])).toEqual([1]);
    expect(await ask(['shapes', [1, 3]])).toEqual([2]);
    expect(await ask(['shapes', [1, 2]], 'build 2')).toEqual([3]);
    expect(await ask(['shapes', [1, 2]], 'build 2')).toEqual([3]);
    // The other build's answer has taken the place of the first one's.
    expect(await readdir(folder)).toHaveLength(2);
  });

  it('computes again what is damaged, and keeps nothing of a failure', async () => {
    const folder = await temporaryFolder();
    const options = { folder, stamp: 'build' };
    await expect(remember('question', () => Promise.reject(new Error('no')), options)).rejects.toThrow('no');
    expect(await readdir(folder)).toEqual([]);
    expect(await remember('question', async () => 1, options)).toBe(1);
    const [name = ''] = await readdir(folder);
    await writeFile(join(folder, name), '{"stamp": "build", "ans');
    expect(await remember('question', async () => 2, options)).toBe(2);
    expect(await remember('question', async () => 3, options)).toBe(2);
  });

  it('goes without a cache that cannot be written, and without a build', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'no-folder');
    await writeFile(file, '');
    await chmod(file, 0o400);
    expect(await remember('question', async () => 1, { folder: file, stamp: 'build' })).toBe(1);
    // These sources run as they are: the answer to the same question is computed each time.
    expect(await remember('question', async () => 2)).toBe(2);
    expect(await remember('question', async () => 3)).toBe(3);
  });
});
