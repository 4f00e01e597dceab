// What is wrong with the machine must not be said of the file.
import type { PathLike } from 'node:fs';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openFileReader, type ReadImageFile, readImageFile } from '../../../services/worker/src/read-image-file.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** What opening a file meets, and how often each way was taken. */
const disk = vi.hoisted(() => ({ error: undefined as Error | undefined, here: 0, apart: 0 }));

vi.mock('node:fs', async importOriginal => {
  const original = await importOriginal<typeof import('node:fs')>();
  const openSync = (path: PathLike, flags: number): number => {
    disk.here++;
    if (disk.error !== undefined) throw disk.error;
    return original.openSync(path, flags);
  };
  return { ...original, openSync };
});
vi.mock('node:fs/promises', async importOriginal => {
  const original = await importOriginal<typeof import('node:fs/promises')>();
  const open: typeof original.open = async (path, flags) => {
    disk.apart++;
    if (disk.error !== undefined) throw disk.error;
    return original.open(path, flags);
  };
  return { ...original, open };
});

afterEach(() => {
  Object.assign(disk, { error: undefined, here: 0, apart: 0 });
});

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code });
}

describe.each<[string, ReadImageFile]>([
  ['in the same thread', openFileReader(Number.POSITIVE_INFINITY)],
  ['in another thread', readImageFile],
])('reading a file %s', (_, read) => {
  it.each(['EIO', 'ESTALE', 'ETIMEDOUT', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'ENOTCONN', 'EHOSTDOWN'])(
    'throws for %s, so that the shard is tried again, and names the file and the cause',
    async code => {
      disk.error = systemError(code);
      const error = await read('/photos/a.jpg', 100).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ message: "Could not read '/photos/a.jpg' this time", cause: { code } });
    },
  );

  it.each(['EACCES', 'ELOOP', 'ENAMETOOLONG'])('makes a row of %s, which stays', async code => {
    disk.error = systemError(code);
    expect(await read('/photos/a.jpg', 100)).toEqual({ ok: false, failure: { code: 'unreadable', message: code } });
  });

  it('gives the bytes of a file, and says what is none', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'a.jpg');
    await writeFile(file, Uint8Array.of(1, 2, 3));
    expect(await read(file, 3)).toEqual({ ok: true, bytes: Buffer.of(1, 2, 3) });
    expect(await read(file, 2)).toMatchObject({ failure: { code: 'file-too-large' } });
    await truncate(file);
    expect(await read(file, 2)).toEqual({ ok: true, bytes: Buffer.alloc(0) });
    await mkdir(join(folder, 'b.jpg'));
    expect(await read(join(folder, 'b.jpg'), 3)).toMatchObject({ failure: { code: 'unreadable' } });
    expect(await read(join(folder, 'c.jpg'), 3)).toMatchObject({ failure: { code: 'not-found' } });
    expect(await read(join(file, 'd.jpg'), 3)).toMatchObject({ failure: { code: 'not-found' } });
  });
});

describe('openFileReader', () => {
  it('stays with a quick disk, and has the files of a slow one read by other threads until it tries again', async () => {
    const file = join(await temporaryFolder(), 'a.jpg');
    await writeFile(file, Uint8Array.of(1));
    const readAll = async (read: ReadImageFile): Promise<void> => {
      for (let i = 0; i < 206; i++) await read(file, 1);
    };
    await readAll(openFileReader(Number.POSITIVE_INFINITY));
    expect(disk).toMatchObject({ here: 206, apart: 0 });
    Object.assign(disk, { here: 0 });
    // Every file takes longer than that.
    await readAll(openFileReader(1e-9));
    // One slow file is not enough.
    expect(disk).toMatchObject({ here: 6, apart: 200 });
  });
});
