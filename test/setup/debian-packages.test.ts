// Programs of Debian's packages that run from the cache, without being installed.

import { readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { findProgram, runCommand } from '../../setup/src/command.ts';
import { unpackDebianCompiler } from '../../setup/src/compiler-debian.ts';
import { findPip, findPython, pipEnvironment } from '../../setup/src/python.ts';
import { unpackDebianPython } from '../../setup/src/python-debian.ts';
import { findCompiler } from '../../setup/src/tensorflow-binding.ts';
import { preparePython } from '../../setup/src/tools.ts';
import { because, whyNot } from '../support/needs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const lack = whyNot('apt-get');

afterEach(() => {
  vi.unstubAllEnvs();
});

describe.skipIf(lack)(`on a machine with nothing but apt${because(lack)}`, () => {
  test('an unpacked compiler makes a library that an unpacked Python loads', async () => {
    const [python, compiler] = [await unpackDebianPython(), await unpackDebianCompiler()];
    const folder = await temporaryFolder();
    const [source, library] = [join(folder, 'digits.cc'), join(folder, 'digits.so')];
    await writeFile(
      source,
      '#include <string>\nextern "C" int digits(int n) { return static_cast<int>(std::to_string(n).size()); }\n',
    );
    const made = await runCommand(compiler, ['-std=c++17', '-O2', '-shared', '-fPIC', source, '-o', library]);
    expect([made.ok, made.stderr]).toEqual([true, '']);
    const script = 'import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).digits(12345))';
    const run = await runCommand(python, ['-c', script, library]);
    expect([run.stdout, run.stderr]).toEqual(['5\n', '']);
    expect((await runCommand(python, ['-m', 'pip', '--version'])).stdout).toMatch(/^pip \d/);
  });

  test('they are found where they were unpacked, after those of the machine', async () => {
    const [python, compiler] = [await unpackDebianPython(), await unpackDebianCompiler()];
    for (const name of ['LAYERTAP_PYTHON', 'CXX']) vi.stubEnv(name, undefined);
    vi.stubEnv('PATH', await coreutils());
    expect((await findPython())?.command).toBe(python);
    expect(await findPip()).toEqual([python, '-m', 'pip']);
    expect(await findCompiler()).toBe(compiler);
  });
});

test('without apt the reason says what to install instead, and nothing is left', async () => {
  vi.stubEnv('PATH', '/nowhere');
  const cacheRoot = await temporaryFolder();
  await expect(unpackDebianPython({ cacheRoot })).rejects.toThrow(/Expected Debian's apt-get .* install python3/);
  await expect(unpackDebianCompiler({ cacheRoot })).rejects.toThrow(/Expected Debian's apt-get .* install g\+\+/);
  expect(await readdir(cacheRoot)).toEqual([]);
});

test('an interpreter that is named is not replaced by another', async () => {
  vi.stubEnv('LAYERTAP_PYTHON', '/nowhere/python3');
  expect(await preparePython()).toBe(false);
});

test('pip keeps the certificates that it is told to trust', async () => {
  vi.stubEnv('PIP_CERT', '/some/bundle.pem');
  const folder = await temporaryFolder();
  expect(await pipEnvironment(folder)).toEqual({});
  expect(await readdir(folder)).toEqual([]);
});

/** A PATH of what the launchers need: a machine has these, whatever else it lacks. */
async function coreutils(): Promise<string> {
  const folder = await temporaryFolder();
  for (const name of ['sh', 'dirname', 'readlink']) await symlink(findProgram(name) ?? '', join(folder, name));
  return folder;
}
