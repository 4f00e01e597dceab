// Installs npm packages that only a peer needs into the cache. For main.ts.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { publishFile, publishFolder } from '../../setup/src/cache.ts';
import { describeFailure, runCommand } from '../../setup/src/command.ts';

const MARKER = 'installed.json';

/** @param packages NAME@VERSION @returns the folder that holds node_modules */
export async function prepareNpmPackages(packages: readonly string[], cache: string): Promise<string> {
  const folder = join(cache, `npm-${packages.join('-').replaceAll(/[^\w.-]/g, '_')}`);
  await publishFolder(
    folder,
    async draft => {
      await mkdir(draft, { recursive: true });
      await writeFile(join(draft, 'package.json'), '{ "private": true }\n');
      const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
      const result = await runCommand('npm', ['install', ...flags, ...packages], { cwd: draft, timeoutMs: 600_000 });
      if (!result.ok) throw new Error(describeFailure(`npm install ${packages.join(' ')}`, result));
      await publishFile(join(draft, MARKER), JSON.stringify(packages));
    },
    { marker: MARKER },
  );
  return folder;
}
