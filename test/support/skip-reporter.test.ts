// What a run says at its end about the tests that it skipped.

import { execFile } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { childEnvironment } from '../../setup/src/config.ts';
import { countSkipped } from './skip-reporter.ts';
import { temporaryFolder } from './temporary-folder.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const REPORTER = join(ROOT, 'test', 'support', 'skip-reporter.ts');
const FILE = `
import { beforeEach, describe, expect, test } from 'vitest';
describe.skip('a suite (skipped: no zip)', () => {
  test('one', () => {});
  describe('deeper', () => test('two', () => {}));
});
test.skip('three (skipped: no git)', () => {});
test('four', context => context.skip('no zip'));
test.skip('five', () => {});
describe('whatever', () => {
  beforeEach(context => context.skip('no python'));
  test('six', () => expect(1).toBe(2));
});
test('seven', () => {});
`;

test('counts them by the reason in a title, of a suite around it, or of the test itself', async () => {
  expect(await run()).toEqual([
    '3 skipped: no zip',
    '1 skipped: no git',
    '1 skipped: no python',
    '1 skipped: no reason given (small.test.ts)',
  ]);
});

test('says nothing of those that the command line leaves out', async () => {
  expect(await run('-t', 'suite|seven')).toEqual(['2 skipped: no zip']);
});

test('names the commonest reason first', () => {
  expect(countSkipped(['no git', 'no zip', 'no zip', 'a'])).toEqual([
    '     2 skipped: no zip',
    '     1 skipped: a',
    '     1 skipped: no git',
  ]);
});

async function run(...args: readonly string[]): Promise<readonly string[]> {
  const folder = await temporaryFolder();
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'small.test.ts'), FILE);
  await writeFile(
    join(folder, 'vitest.config.mjs'),
    `export default { test: { reporters: ['default', ${JSON.stringify(REPORTER)}] } };\n`,
  );
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
  const env = childEnvironment({ NO_COLOR: '1', VITEST: undefined, VITEST_MODE: undefined, VITEST_POOL_ID: undefined });
  const { stdout } = await promisify(execFile)(process.execPath, [vitest, 'run', ...args], { cwd: folder, env });
  return [...stdout.matchAll(/^ *(\d+ skipped: .*)$/gm)].map(match => match[1] ?? '');
}
