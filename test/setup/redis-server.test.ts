// The tests' own Redis is a real process that never outlives its parent.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { expect, onTestFinished, test } from 'vitest';
import { startRedisServer } from '../../setup/src/redis-server.ts';
import { readInfo } from '../../shared/src/queues/redis-info.ts';
import { openOwnRedis } from '../support/redis.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const OWN_REDIS = new URL('../../setup/src/own-redis.ts', import.meta.url).href;

test('a server starts on a free loopback port, keeps everything, and is gone after close', async () => {
  const server = await openOwnRedis();
  const info = await readInfo({ url: server.url });
  expect(info?.get('process_id')).toBe(String(server.pid));
  expect(info?.get('maxmemory_policy')).toBe('noeviction');
  await server.close();
  expect(isAlive(server.pid)).toBe(false);
  expect(await readInfo({ url: server.url }, 1000)).toBeUndefined();
});

test('two servers run side by side, and one with a password asks for it', async () => {
  const [open, locked] = await Promise.all([openOwnRedis(), openOwnRedis({ password: 'a b:@/?' })]);
  onTestFinished(async () => {
    await Promise.all([open.close(), locked.close()]);
  });
  expect(open.port).not.toBe(locked.port);
  expect((await readInfo({ url: locked.url }))?.get('process_id')).toBe(String(locked.pid));
  expect(await readInfo({ url: `redis://127.0.0.1:${locked.port}` })).toBeUndefined();
});

test('a server whose parent is killed ends too', async () => {
  const source = `
    import { openOwnRedis } from ${JSON.stringify(OWN_REDIS)};
    const server = await openOwnRedis();
    console.log(server.pid);
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  expect(isAlive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await expect.poll(() => isAlive(pid), { timeout: 120_000, interval: 50 }).toBe(false);
});

test('append-only data survives a killed server when the caller names the folder', async () => {
  const folder = await temporaryFolder();
  const first = await openOwnRedis({ folder, extraArguments: ['--appendonly', 'yes'] });
  process.kill(first.pid, 'SIGKILL');
  await first.close();
  expect(await readdir(folder)).toContain('appendonlydir');
  const second = await openOwnRedis({ folder, port: first.port, extraArguments: ['--appendonly', 'yes'] });
  expect(second.port).toBe(first.port);
  await second.close();
});

test('a program that is no Redis is an error with what it said, and leaves no folder', async () => {
  const before = await redisFolders();
  await expect(startRedisServer({ program: '/bin/false' })).rejects.toThrow(/Expected \/bin\/false to serve port/);
  expect((await redisFolders()).filter(name => !before.includes(name))).toEqual([]);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function redisFolders(): Promise<readonly string[]> {
  return (await readdir(tmpdir())).filter(name => name.startsWith('layertap-redis-'));
}
