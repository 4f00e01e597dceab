// Installs npm packages that only a peer needs into the cache. For main.ts.
import { join } from 'node:path';
import { publishFile, publishFolder } from '../../setup/src/cache.ts';
import { describeFailure } from '../../setup/src/command.ts';
import { installNpmPackages } from '../../setup/src/npm-packages.ts';

const MARKER = 'installed.json';

/** @param packages NAME@VERSION @returns the folder that holds node_modules */
export async function prepareNpmPackages(packages: readonly string[], cache: string): Promise<string> {
  const folder = join(cache, `npm-${packages.join('-').replaceAll(/[^\w.-]/g, '_')}`);
  await publishFolder(
    folder,
    async draft => {
      const result = await installNpmPackages(draft, packages);
      if (!result.ok) throw new Error(describeFailure(`npm install ${packages.join(' ')}`, result));
      await publishFile(join(draft, MARKER), JSON.stringify(packages));
    },
    { marker: MARKER },
  );
  return folder;
}
