import { dirname } from 'node:path';
import { runCommand } from './command.ts';
import { setupConfig, unpackedPython } from './config.ts';
import { type DebianProgram, type UnpackOptions, unpackDebianProgram, writeLauncher } from './debian-packages.ts';

const PYTHON: DebianProgram = {
  title: "Debian's Python",
  otherwise: 'install python3 and python3-pip, or name an interpreter in `LAYERTAP_PYTHON`',
  install: ['python3', 'python3-pip'],
  own: /python3/,
  marker: 'python.json',
  finish: async (root, ensure) => {
    const program = await writeLauncher(root, 'python3', '"$root/usr/bin/python3"');
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
