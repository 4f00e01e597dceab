// Debian's C++ compiler, unpacked into the cache, for the tests of machines without one: TensorFlow's binding is built with it.

import { symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolders } from '../../shared/src/make-folders.ts';
import { runCommand } from './command.ts';
import { setupConfig, unpackedCompiler } from './config.ts';
import {
  type DebianProgram,
  type Ensure,
  type UnpackOptions,
  unpackDebianProgram,
  writeLauncher,
} from './debian-packages.ts';

const COMPILER: DebianProgram = {
  title: "Debian's C++ compiler",
  otherwise: 'install g++, or name a compiler in `CXX`',
  install: ['g++'],
  own: /^(g\+\+|gcc|cpp|binutils|linux-libc-dev|lib(c6|crypt|stdc\+\+-\d+|gcc-\d+)-dev)/,
  marker: 'compiler.json',
  finish: async (root, ensure) => {
    await linkRuntime(root, ensure);
    const program = await writeLauncher(root, 'g++', '"$root/usr/bin/g++" --sysroot="$root" -B"$root/usr/bin/"');
    const input = '#include <string>\nextern "C" int layertap(int n) { return std::to_string(n).size(); }\n';
    const args = ['-shared', '-fPIC', '-x', 'c++', '-', '-o', join(root, 'tried.so')];
    ensure('g++', await runCommand(program, args, { input, timeoutMs: 300_000 }));
    return ensure('g++', await runCommand(program, ['-dumpfullversion'], { timeoutMs: 300_000 })).stdout.trim();
  },
};

/** Also the loader, in /lib64 or /lib. */
const RUNTIME_LIBRARY = /^(\/usr)?\/lib[^/]*\/([^/]*-linux-[^/]*\/)?[^/]+\.so[.\d]*$/;

/** Path of a compiler that runs from there. */
export async function unpackDebianCompiler(options: UnpackOptions = {}): Promise<string> {
  const program = unpackedCompiler(options.cacheRoot ?? setupConfig().installedRoot);
  await unpackDebianProgram(dirname(dirname(program)), COMPILER, options.log);
  return program;
}

/**
 * The C library of the system itself, which what is compiled will run with, appears in the tree by links: a second one
 * would be loaded in place of the system's through the tree's library path, and does not fit the system's loader.
 */
async function linkRuntime(root: string, ensure: Ensure): Promise<void> {
  for (const name of ['libc6', 'libgcc-s1', 'libstdc++6']) {
    const { stdout } = ensure(`dpkg -L ${name}`, await runCommand('dpkg', ['-L', name], { timeoutMs: 300_000 }));
    for (const path of stdout.split('\n').filter(line => RUNTIME_LIBRARY.test(line))) {
      await makeFolders(dirname(join(root, path)));
      await symlink(path, join(root, path)).catch(error => {
        if (error.code !== 'EEXIST') throw error;
      });
    }
  }
}
