// The lock file names the optional packages of every platform, so that `npm ci` accepts it everywhere.

import { spawnSync } from 'node:child_process';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.ts';

const SCRIPT = fileURLToPath(new URL('../../setup/complete-lock.mjs', import.meta.url));
const LOCK_FILE = fileURLToPath(new URL('../../package-lock.json', import.meta.url));

test('packages of other platforms are added at the version that their parent asks for', async () => {
  const path = join(await temporaryFolder(), 'package-lock.json');
  const optionalDependencies = {
    '@a/cli-linux-x64': '1.2.3',
    '@a/cli-linux-arm64-musl': '1.2.3',
    '@a/other': '^1.0.0',
  };
  const present = { version: '1.2.3', optional: true };
  const packages = {
    '': {},
    'node_modules/a': { dev: true, optionalDependencies },
    'node_modules/@a/cli-linux-x64': present,
  };
  await writeFile(path, JSON.stringify({ packages }));
  complete(path);
  const completed = JSON.parse(await readFile(path, 'utf8')) as { packages: Record<string, unknown> };
  expect(completed.packages).toEqual({
    ...packages,
    'node_modules/@a/cli-linux-arm64-musl': {
      version: '1.2.3',
      dev: true,
      optional: true,
      os: ['linux'],
      cpu: ['arm64'],
      libc: ['musl'],
    },
  });
});

test("the project's own lock file is complete and names no host", async () => {
  const path = join(await temporaryFolder(), 'package-lock.json');
  await cp(LOCK_FILE, path);
  expect(complete(path)).toBe('The lock file is complete.\n');
  expect(await readFile(path, 'utf8')).not.toContain('"resolved"');
});

function complete(path: string): string {
  return spawnSync(process.execPath, [SCRIPT, path], { encoding: 'utf8' }).stdout;
}
