// Debian's Python with pip, unpacked into the cache, for the tests of machines without a Python.

import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runCommand } from './command.ts';
import { setupConfig, unpackedPython } from './config.ts';
import { type DebianProgram, libraryPathOf, type UnpackOptions, unpackDebianProgram } from './debian-packages.ts';

const PYTHON: DebianProgram = {
  title: "Debian's Python",
  otherwise: 'install python3 and python3-pip, or name an interpreter in `LAYERTAP_PYTHON`',
  install: ['python3', 'python3-pip'],
  own: /python3/,
  marker: 'python.json',
  finish: async (root, ensure) => {
    const program = join(root, 'bin', 'python3');
    await mkdir(dirname(program));
    await writeFile(program, await launcher(root));
    await chmod(program, 0o755);
    const script = 'import ctypes, hashlib, lzma, sqlite3, ssl, zlib, platform; print(platform.python_version())';
    const version = ensure('python3', await runCommand(program, ['-c', script], { timeoutMs: 300_000 }));
    ensure('python3 -m pip', await runCommand(program, ['-m', 'pip', '--version'], { timeoutMs: 300_000 }));
    return version.stdout.trim();
  },
};

/** Path of an interpreter that runs from there, with pip. */
export async function unpackDebianPython(options: UnpackOptions = {}): Promise<string> {
  const program = unpackedPython(options.cacheRoot ?? setupConfig().installedRoot);
  await unpackDebianProgram(dirname(dirname(program)), PYTHON, options.log);
  return program;
}

/** Finds the interpreter's own libraries beside itself, wherever the tree lies. */
async function launcher(root: string): Promise<string> {
  const libraries = (await libraryPathOf(root)).replaceAll(root, '$root');
  return `#!/bin/sh
root=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
export LD_LIBRARY_PATH="${libraries}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$root/usr/bin/python3" "$@"
`;
}
