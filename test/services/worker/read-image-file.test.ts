// What is wrong with the machine must not be said of the file.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { readImageFile } from '../../../services/worker/src/read-image-file.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

vi.mock('node:fs/promises', async importOriginal => {
  const original = await importOriginal<typeof import('node:fs/promises')>();
  return { ...original, open: vi.fn(original.open) };
});

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code });
}

describe('readImageFile', () => {
  for (const code of ['EIO', 'ESTALE', 'ETIMEDOUT', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'ENOTCONN', 'EHOSTDOWN']) {
    it(`throws for ${code}, so that the shard is tried again, and names the file and the cause`, async () => {
      vi.mocked(open).mockRejectedValueOnce(systemError(code));
      const error = await readImageFile('/photos/a.jpg', 100).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ message: "Could not read '/photos/a.jpg' this time", cause: { code } });
    });
  }

  it('makes a row of what stays wrong', async () => {
    for (const code of ['EACCES', 'ELOOP', 'ENAMETOOLONG']) {
      vi.mocked(open).mockRejectedValueOnce(systemError(code));
      expect(await readImageFile('/photos/a.jpg', 100)).toEqual({
        ok: false,
        failure: { code: 'unreadable', message: code },
      });
    }
    const absent = join(await temporaryFolder(), 'absent.jpg');
    expect(await readImageFile(absent, 100)).toMatchObject({ ok: false, failure: { code: 'not-found' } });
  });
});
