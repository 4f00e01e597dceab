// Where runs keep what they make: never where another user could have put something, and never nowhere.
import { chmod, chown, mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.ts';

type MadeCache = typeof import('../../setup/src/made-cache.ts');

const ROOT = process.getuid?.() === 0;
const NOBODY = 65_534;
let root: string;

beforeEach(async () => {
  root = join(await temporaryFolder(), 'cache');
  vi.stubEnv('LAYERTAP_CACHE', root);
  vi.stubEnv('LAYERTAP_INSTALLED', '');
});
afterEach(() => vi.unstubAllEnvs());

/** As a process finds it that has just begun. */
async function fresh(): Promise<MadeCache> {
  vi.resetModules();
  return import('../../setup/src/made-cache.ts');
}

async function expectTemporary(cache: MadeCache, reason: RegExp): Promise<void> {
  const folder = await cache.writableCache();
  expect(folder.startsWith(join(tmpdir(), 'layertap-cache-'))).toBe(true);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  const note = cache.takeCacheNote();
  expect(note).toMatch(reason);
  expect(note).toContain('Set LAYERTAP_CACHE to a folder');
  expect(cache.takeCacheNote()).toBeUndefined();
  expect(await cache.writableCache()).toBe(folder);
  expect(await cache.cacheEnvironment()).toEqual({ LAYERTAP_CACHE: folder, LAYERTAP_INSTALLED: root });
}

describe('the cache', () => {
  test('is made for this user alone, and leaves nothing of trying to write', async () => {
    const cache = await fresh();
    expect(cache.madeFolders()).toEqual([]);
    expect(await cache.writableCache()).toBe(root);
    expect((await stat(root)).mode & 0o777).toBe(0o700);
    expect(await readdir(root)).toEqual([]);
    expect(cache.madeFolders()).toEqual([root]);
    expect(cache.takeCacheNote()).toBeUndefined();
    expect(await cache.cacheEnvironment()).toEqual({});
  });

  test.each([
    ['others can write', 0o1777],
    ['the group can write', 0o775],
  ])('where %s is a folder of this user in it', async (_, mode) => {
    await mkdir(root);
    await chmod(root, mode);
    const cache = await fresh();
    const own = join(root, `uid-${process.getuid?.()}`);
    expect(cache.madeFolders()).toEqual([]);
    expect(await cache.writableCache()).toBe(own);
    expect((await stat(own)).mode & 0o777).toBe(0o700);
    expect(cache.madeFolders()).toEqual([own]);
  });

  test('is not what others can write under the name of this user’s folder', async () => {
    await mkdir(root);
    await chmod(root, 0o1777);
    const own = join(root, `uid-${process.getuid?.()}`);
    await mkdir(own);
    await chmod(own, 0o777);
    const cache = await fresh();
    expect(cache.madeFolders()).toEqual([]);
    await expectTemporary(cache, /others can write it/);
  });

  test('is no link in a folder that others can write', async () => {
    await mkdir(root);
    await chmod(root, 0o1777);
    await symlink(await temporaryFolder(), join(root, `uid-${process.getuid?.()}`));
    const cache = await fresh();
    expect(cache.madeFolders()).toEqual([]);
    await expectTemporary(cache, /belongs to another user, or others can write it/);
  });

  test.skipIf(!ROOT)('of another user is neither read nor written (skipped without root’s rights)', async () => {
    await mkdir(root);
    await chown(root, NOBODY, NOBODY);
    const cache = await fresh();
    expect(cache.madeFolders()).toEqual([]);
    // Root may make a folder of its own in it.
    expect(await cache.writableCache()).toBe(join(root, 'uid-0'));
  });

  test.skipIf(process.platform !== 'linux')('that cannot be made is a temporary folder', async () => {
    root = '/proc/nope';
    vi.stubEnv('LAYERTAP_CACHE', root);
    await expectTemporary(await fresh(), /ENOENT/);
  });

  test('in place of which a file stands is a temporary folder', async () => {
    await writeFile(root, '');
    await expectTemporary(await fresh(), /ENOTDIR|EEXIST/);
  });

  test('is nowhere where the temporary folder cannot be written either', async () => {
    await writeFile(root, '');
    vi.stubEnv('TMPDIR', join(root, 'nothing'));
    const cache = await fresh();
    await expect(cache.writableCache()).rejects.toMatchObject({
      code: 'cache-unwritable',
      hint: expect.stringContaining('LAYERTAP_CACHE') as unknown,
    });
  });

  test('temporary ones of processes that were killed go, those of living ones stay', async () => {
    await writeFile(root, '');
    const place = await temporaryFolder();
    vi.stubEnv('TMPDIR', place);
    const { hostname } = await import('node:os');
    const left = `layertap-cache-${hostname()}-${2 ** 22 + 7}-abcdef`;
    const living = `layertap-cache-${hostname()}-${process.pid}-abcdef`;
    for (const name of [left, living]) await mkdir(join(place, name), { mode: 0o700 });
    const folder = await (await fresh()).writableCache();
    expect((await readdir(place)).sort()).toEqual([living, folder.slice(place.length + 1)].sort());
  });
});
