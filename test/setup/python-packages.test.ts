// The Python packages: installed once into the cache, whole or not at all.

import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { preparePythonPackages } from '../../setup/src/python-packages.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

test('packages are installed once and then only found', async () => {
  const { cacheRoot, calls } = await fakePython('touch "$target/pyarrow.py"');
  const steps: string[] = [];
  const first = await preparePythonPackages('interop', { cacheRoot, log: line => steps.push(line) });
  expect(await readdir(first.pythonPath)).toEqual(['packages.json', 'pyarrow.py']);
  expect(steps).toHaveLength(1);
  expect(await preparePythonPackages('interop', { cacheRoot })).toEqual(first);
  expect(await calls()).toBe(1);
});

test('an installation that fails leaves nothing and says what pip said', async () => {
  const { cacheRoot } = await fakePython('touch "$target/half"; echo "ERROR: No matching distribution" >&2; exit 1');
  await expect(preparePythonPackages('interop', { cacheRoot })).rejects.toThrow(/No matching distribution/);
  expect(await readdir(join(cacheRoot, 'python'))).toEqual([]);
});

test('without Python the reason is told', async () => {
  vi.stubEnv('LAYERTAP_PYTHON', '/nowhere/python3');
  await expect(preparePythonPackages('interop', { cacheRoot: await temporaryFolder() })).rejects.toThrow(
    /Expected a Python 3 interpreter/,
  );
});

async function fakePython(script: string): Promise<{ readonly cacheRoot: string; calls(): Promise<number> }> {
  const folder = await temporaryFolder();
  const program = join(folder, 'python3');
  const calls = join(folder, 'calls');
  const source = `#!/bin/sh
case "$*" in *--version*) echo "pip 1"; exit 0;; -c*) echo 3.11.2; exit 0;; esac
echo called >> "${calls}"
while [ $# -gt 0 ]; do [ "$1" = --target ] && target=$2; shift; done
${script}
`;
  await writeFile(program, source);
  await chmod(program, 0o755);
  vi.stubEnv('LAYERTAP_PYTHON', program);
  const count = async (): Promise<number> => (await readFile(calls, 'utf8')).trim().split('\n').length;
  return { cacheRoot: await temporaryFolder(), calls: count };
}
