// Where a path leads, by the system's own resolution, and whether that is allowed.
import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allowedRoots } from '../../shared/src/allowed-roots.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('allowedRoots', () => {
  it('gives the place to open, or nothing where that is outside', async () => {
    const root = await realpath(await temporaryFolder());
    await mkdir(join(root, 'in/sub'), { recursive: true });
    await mkdir(join(root, 'out/dir'), { recursive: true });
    await mkdir(join(root, 'in-beside'));
    await writeFile(join(root, 'out/secret.jpg'), '');
    await writeFile(join(root, 'in/a.jpg'), '');
    await symlink(join(root, 'out/dir'), join(root, 'in/link'));
    await symlink(join(root, 'in/a.jpg'), join(root, 'in/inner.jpg'));
    const allowed = allowedRoots([join(root, 'in')]);
    const places = async (...names: readonly string[]): Promise<readonly (string | undefined)[]> =>
      Promise.all(names.map(name => allowed(`${root}/${name}`)));
    expect(await places('in', 'in/a.jpg', 'in/inner.jpg', 'in/gone/new.jpg', 'in/sub/../a.jpg')).toEqual(
      ['in', 'in/a.jpg', 'in/a.jpg', 'in/gone/new.jpg', 'in/a.jpg'].map(name => join(root, name)),
    );
    const outside = ['out/secret.jpg', 'in/link', 'in/link/new', 'in/link/../secret.jpg', 'in/../out/secret.jpg'];
    expect(await places(...outside, 'in-beside/x', 'in/link/../gone.jpg')).toEqual(Array(7).fill(undefined));
  });

  it('leaves every path as it is where nothing is said', async () => {
    expect(await allowedRoots(undefined)('/any/../where')).toBe('/any/../where');
  });
});
