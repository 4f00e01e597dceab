// Debian's Redis, unpacked into the cache, for machines without a Redis.

import { join } from 'node:path';
import { runCommand } from './command.ts';
import { setupConfig } from './config.ts';
import { type DebianProgram, libraryPathOf, type UnpackOptions, unpackDebianProgram } from './debian-packages.ts';
import type { RedisProgram } from './redis-server.ts';

const REDIS: DebianProgram = {
  title: "Debian's Redis",
  otherwise: 'install a redis-server, or set `REDIS_URL`',
  install: ['redis-server'],
  own: /^redis-/,
  marker: 'redis.json',
  finish: async (root, ensure) => {
    const env = { LD_LIBRARY_PATH: await libraryPathOf(root) };
    const asked = await runCommand(serverBelow(root), ['--version'], { env, timeoutMs: 60_000 });
    return ensure('redis-server --version', asked).stdout.trim();
  },
};

export async function unpackDebianRedis(options: UnpackOptions = {}): Promise<RedisProgram> {
  const folder = join(options.cacheRoot ?? setupConfig().installedRoot, 'redis', `debian-${process.arch}`);
  await unpackDebianProgram(folder, REDIS, options.log);
  return { program: serverBelow(folder), libraryPath: await libraryPathOf(folder) };
}

function serverBelow(root: string): string {
  return join(root, 'usr', 'bin', 'redis-server');
}
