// The heartbeat of a worker: a file that is as old as the last answer of its Redis.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startService } from '../../support/layertap.ts';
import { openOwnRedis } from '../../support/redis.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { waitUntil } from '../../support/wait-until.ts';

/** The check of docker-compose.yml, for that file. */
function isHealthy(file: string): boolean {
  const check = 'test -n "$(find "$1" -newermt "-60 seconds" 2>/dev/null)"';
  return spawnSync('sh', ['-c', check, 'check', file]).status === 0;
}

/** Whole seconds: a file's time is no exact fraction of one. */
const OLD = new Date(1_700_000_000_000);

test('is touched while Redis answers, and not while it is stopped', async () => {
  const redis = await openOwnRedis();
  onTestFinished(() => redis.close());
  const file = join(await temporaryFolder(), 'alive');
  expect(isHealthy(file)).toBe(false);
  const worker = startService('worker', { REDIS_URL: redis.url, LAYERTAP_HEARTBEAT: file });
  await waitUntil('the worker touches its file', () => existsSync(file));
  expect(isHealthy(file)).toBe(true);
  process.kill(redis.pid, 'SIGSTOP');
  try {
    // A beat that had its answer before may still touch the file: the second look counts.
    await utimes(file, OLD, OLD);
    await worker.says(/worker \S+ is ready/);
    await waitUntil('no beat comes any more', async () => {
      const before = (await stat(file)).mtimeMs;
      if (before === OLD.getTime()) return true;
      await utimes(file, OLD, OLD);
      return false;
    });
    expect(isHealthy(file)).toBe(false);
  } finally {
    process.kill(redis.pid, 'SIGCONT');
  }
  await waitUntil('Redis is heard again', () => isHealthy(file));
  worker.kill('SIGTERM');
  expect((await worker.ended).code).toBe(0);
});

test('that cannot be written is told once, and the worker works on', async () => {
  const redis = await openOwnRedis();
  onTestFinished(() => redis.close());
  const worker = startService('worker', { REDIS_URL: redis.url, LAYERTAP_HEARTBEAT: '/proc/nope/alive' });
  await worker.says(/no heartbeat in \/proc\/nope\/alive: ENOENT/);
  await worker.says(/worker \S+ is ready/);
  worker.kill('SIGTERM');
  expect((await worker.ended).code).toBe(0);
});
