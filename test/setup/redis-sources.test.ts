// Where the tests' Redis comes from: the order of the sources, and what is said when one fails.

import { chmod, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { findProgram } from '../../setup/src/command.ts';
import { unpackDebianRedis } from '../../setup/src/redis-debian.ts';
import { because, whyNot } from '../support/needs.ts';
import { redisUrl } from '../support/redis.ts';
import { findRedis } from '../support/redis-sources.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const lack = whyNot('apt-get');

afterEach(() => {
  vi.unstubAllEnvs();
});

test('REDIS_URL goes before all else and is left running', async () => {
  vi.stubEnv('REDIS_URL', redisUrl());
  const redis = await findRedis();
  expect(redis.url).toBe(redisUrl());
  expect(redis.origin).toMatch(/^REDIS_URL \(redis:\/\//);
  await redis.close();
  expect((await findRedis()).url).toBe(redisUrl());
});

test('a REDIS_URL that does not answer is an error without the password, not a reason to take another', async () => {
  vi.stubEnv('REDIS_URL', 'redis://:secret@127.0.0.1:1');
  await expect(findRedis()).rejects.toThrow('redis://:***@127.0.0.1:1 does not answer');
});

test.skipIf(lack)(
  `without Docker a server of the machine is taken, and without one Debian's packages${because(lack)}`,
  async () => {
    const debian = await unpackDebianRedis();
    vi.stubEnv('REDIS_URL', undefined);
    const bin = await fewPrograms();
    expect((await find()).origin).toMatch(/^Debian's packages/);
    const server = `#!/bin/sh\nLD_LIBRARY_PATH=${debian.libraryPath} exec ${debian.program} "$@"\n`;
    await writeFile(join(bin, 'redis-server'), server);
    await chmod(join(bin, 'redis-server'), 0o755);
    expect((await find()).origin).toBe(join(bin, 'redis-server'));
  },
);

test('without apt the reason says what to install', async () => {
  vi.stubEnv('PATH', '/nowhere');
  const cacheRoot = await temporaryFolder();
  await expect(unpackDebianRedis({ cacheRoot })).rejects.toThrow(/Expected Debian's apt-get .* install a redis-server/);
  expect(await readdir(cacheRoot)).toEqual([]);
});

async function find(): Promise<{ readonly origin: string }> {
  const redis = await findRedis();
  onTestFinished(() => redis.close());
  return redis;
}

/** A PATH without Docker and without any Redis. */
async function fewPrograms(): Promise<string> {
  const folder = await temporaryFolder();
  for (const name of ['sh', 'sleep', 'rm', 'apt-get', 'dpkg']) {
    const program = findProgram(name);
    if (program) await symlink(program, join(folder, name));
  }
  vi.stubEnv('PATH', folder);
  return folder;
}
