// Where runs keep what they make: never where another user could have put something, and never nowhere.
import { chmod, chown, lchown, mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { because, whyNot } from '../support/needs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

type MadeCache = typeof import('../../setup/src/made-cache.ts');

const noRoot = whyNot('root');
const asRoot = whyNot('user without rights');
const noGroup = whyNot('a group of its own');
const notLinux = whyNot('linux');
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
  expect(await cache.cacheEnvironment()).toEqual({
    LAYERTAP_CACHE: folder,
    LAYERTAP_CACHE_BEHIND: root,
    LAYERTAP_INSTALLED: root,
  });
}

describe('the cache', () => {
  test('is made for this user alone, and leaves nothing of trying to write', async () => {
    const cache = await fresh();
    expect(cache.madeFolders('compiled')).toEqual([]);
    expect(await cache.writableCache()).toBe(root);
    expect((await stat(root)).mode & 0o777).toBe(0o700);
    expect(await readdir(root)).toEqual([]);
    expect(cache.madeFolders('compiled')).toEqual([root]);
    expect(cache.takeCacheNote()).toBeUndefined();
    expect(await cache.cacheEnvironment()).toEqual({});
  });

  test.each([
    ['others can write', 0o1777, process.getgid?.() ?? 0] as const,
    // Only root can give a folder to another group.
    ...(noRoot === undefined ? [['a group can write', 0o775, 100] as const] : []),
  ])('where %s is a folder of this user in it', async (_, mode, group) => {
    await mkdir(root);
    await chown(root, process.getuid?.() ?? 0, group);
    await chmod(root, mode);
    const cache = await fresh();
    const own = join(root, `uid-${process.getuid?.()}`);
    expect(cache.madeFolders('compiled')).toEqual([]);
    expect(await cache.writableCache()).toBe(own);
    expect((await stat(own)).mode & 0o777).toBe(0o700);
    expect(cache.madeFolders('compiled')).toEqual([own]);
  });

  test.skipIf(noGroup)(
    `may be open to the group of this user alone, as a umask of 002 leaves it, and may be a link${because(noGroup)}`,
    async () => {
      const place = join(await temporaryFolder(), 'disk');
      await mkdir(place);
      await chmod(place, 0o775);
      await symlink(place, root);
      const cache = await fresh();
      expect(cache.madeFolders('compiled')).toEqual([root]);
      expect(await cache.writableCache()).toBe(root);
    },
  );

  test('is not read where a folder in it is open to others', async () => {
    const cache = await fresh();
    await cache.makeRoom(await cache.writableCache(), 'compiled');
    expect((await stat(join(root, 'compiled'))).mode & 0o777).toBe(0o700);
    await chmod(join(root, 'compiled'), 0o777);
    expect(cache.madeFolders('compiled')).toEqual([]);
    expect(cache.madeFolders('decisions')).toEqual([root]);
  });

  test.skipIf(asRoot)(`read-only is read by children behind a temporary one${because(asRoot)}`, async () => {
    await mkdir(join(root, 'models'), { recursive: true, mode: 0o700 });
    await chmod(root, 0o500);
    const parent = await fresh();
    const folder = await parent.writableCache();
    for (const [name, value] of Object.entries(await parent.cacheEnvironment())) vi.stubEnv(name, value);
    expect((await fresh()).madeFolders('models')).toEqual([folder, root]);
    await chmod(root, 0o700);
  });

  test('is not what others can write under the name of this user’s folder', async () => {
    await mkdir(root);
    await chmod(root, 0o1777);
    const own = join(root, `uid-${process.getuid?.()}`);
    await mkdir(own);
    await chmod(own, 0o777);
    const cache = await fresh();
    expect(cache.madeFolders('compiled')).toEqual([]);
    await expectTemporary(cache, /others can write it/);
  });

  test.skipIf(noRoot)(`is no link of another user’s${because(noRoot)}`, async () => {
    await mkdir(root);
    await chmod(root, 0o1777);
    const link = join(root, `uid-${process.getuid?.()}`);
    await symlink(await temporaryFolder(), link);
    await lchown(link, NOBODY, NOBODY);
    const cache = await fresh();
    expect(cache.madeFolders('compiled')).toEqual([]);
    await expectTemporary(cache, /belongs to another user, or others can write it/);
  });

  test.skipIf(noRoot)(`of another user is neither read nor written${because(noRoot)}`, async () => {
    await mkdir(root);
    await chown(root, NOBODY, NOBODY);
    const cache = await fresh();
    expect(cache.madeFolders('compiled')).toEqual([]);
    // Root may make a folder of its own in it.
    expect(await cache.writableCache()).toBe(join(root, 'uid-0'));
  });

  test.skipIf(notLinux)(`that cannot be made is a temporary folder${because(notLinux)}`, async () => {
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
    const name = (pid: number): string => `layertap-cache-${hostname()}-${pid}-abcdef`;
    // Of one with this process' number, which an earlier container had.
    const living = name(process.ppid);
    for (const left of [name(2 ** 22 + 7), name(process.pid), living]) await mkdir(join(place, left), { mode: 0o700 });
    const folder = await (await fresh()).writableCache();
    expect((await readdir(place)).sort()).toEqual([living, folder.slice(place.length + 1)].sort());
  });
});
