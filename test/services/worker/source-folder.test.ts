// A deleted image is a row; a source that this machine doesn't have is not.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkSourceFolder } from '../../../services/worker/src/source-folder.ts';
import { refusalOf } from '../../support/refusal.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

describe('checkSourceFolder', () => {
  it('passes where the source has something in it, whichever of its folders is gone', async () => {
    const source = await temporaryFolder();
    await writeFile(join(source, 'other.jpg'), '');
    await checkSourceFolder(source, join(source, 'absent.jpg'));
    await checkSourceFolder(source, join(source, 'absent', 'deeper', 'a.jpg'));
  });

  it('refuses a missing source, and an empty one as a mount point without its mount is', async () => {
    const mount = await temporaryFolder();
    const empty = await refusalOf(() => checkSourceFolder(mount, join(mount, 'a.jpg')), 'source-unreadable');
    expect(empty.message).toBe(`Expected the source folder '${mount}' on this machine but it is empty: is it mounted?`);
    const source = join(mount, 'photos');
    const missing = await refusalOf(() => checkSourceFolder(source, join(source, 'a.jpg')), 'source-unreadable');
    expect(missing.message).toContain(`'${source}' on this machine but it is missing`);
    expect(missing.cause).toMatchObject({ code: 'ENOENT' });
  });

  it('takes the fixed beginning of a glob, and the folder of a list that lies above its images', async () => {
    const folder = join(await temporaryFolder(), 'photos');
    const image = join(folder, 'cats', 'a.jpg');
    for (const source of [join(folder, '**', '*.jpg'), join(folder, 'list.csv')]) {
      const { message } = await refusalOf(() => checkSourceFolder(source, image), 'source-unreadable');
      expect(message).toContain(`'${folder}'`);
    }
    await mkdir(folder);
    await writeFile(join(folder, 'list.csv'), 'path');
    await checkSourceFolder(join(folder, 'list.csv'), image);
  });

  it('says nothing of images that lie elsewhere than their list', async () => {
    await checkSourceFolder('/nowhere-a/list.csv', '/nowhere-b/a.jpg');
    await checkSourceFolder('/nowhere-a/list.csv', 'https://example.org/a.jpg');
  });
});
