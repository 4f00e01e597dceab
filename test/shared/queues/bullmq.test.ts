// The BullMQ queue keeps the contract of all queues, on a real Redis, and survives what befalls Redis.

import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { createLogger, type Logger } from '../../../shared/src/logger.ts';
import { JobReleased } from '../../../shared/src/queue.ts';
import { type BullmqQueueOptions, openBullmqQueue } from '../../../shared/src/queues/bullmq.ts';
import { defer } from '../../support/deferred.ts';
import { openOwnRedis, redisUrl } from '../../support/redis.ts';
import { openSlammingServer } from '../../support/slamming-server.ts';
import { describeQueue, jobOf, jobsOf, type OpenedQueue } from './queue-conformance.ts';

async function openQueue(options: Partial<BullmqQueueOptions> = {}): Promise<OpenedQueue & { readonly name: string }> {
  const name = `test-${randomUUID()}`;
  const url = redisUrl();
  const queue = await openBullmqQueue({ url, name, retryDelayMs: 5, ...options });
  return { queue, name, cleanUp: () => obliterate(name, url) };
}

async function obliterate(name: string, url: string): Promise<void> {
  await withRedis(url, async connection => {
    const queue = new Queue(name, { connection });
    await queue.obliterate({ force: true });
    await queue.close();
  });
}

async function withRedis<Result>(url: string, use: (redis: Redis) => Promise<Result>): Promise<Result> {
  const redis = new Redis(url, { maxRetriesPerRequest: null });
  try {
    return await use(redis);
  } finally {
    await redis.quit();
  }
}

function recordingLogger(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  return { lines, logger: createLogger({ write: line => lines.push(line) }) };
}

describeQueue('the BullMQ queue', openQueue);

describe('the BullMQ queue', () => {
  const cleanUps: (() => Promise<void>)[] = [];

  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  async function open(options: Partial<BullmqQueueOptions> = {}): ReturnType<typeof openQueue> {
    const opened = await openQueue(options);
    cleanUps.push(opened.cleanUp, () => opened.queue.close());
    return opened;
  }

  it('adds more jobs than fit into one call', async () => {
    const { queue } = await open();
    await queue.add(jobsOf(2500));
    expect(await queue.counts()).toMatchObject({ waiting: 2500 });
    await queue.forget('run');
    expect(await queue.counts()).toMatchObject({ waiting: 0 });
  });

  it.each([
    [
      'of a newer schema version',
      { ...jobOf(0), version: 2 },
      'job schema version 2, this worker knows 1: upgrade the worker',
    ],
    ['that is malformed', { ...jobOf(0), shard: -1 }, 'Expected a shard job'],
  ])('fails a job %s without retries, with the reason', async (_kind, data, reason) => {
    const { lines, logger } = recordingLogger();
    const { queue, name } = await open({ logger });
    await withRedis(redisUrl(), async connection => {
      const foreign = new Queue(name, { connection });
      await foreign.add('shard', data, { jobId: 'run-0', attempts: 3 });
      await foreign.close();
    });
    expect(await queue.peek()).toBeUndefined();
    const idle = defer();
    const calls: unknown[] = [];
    const consumer = await queue.consume(async job => void calls.push(job), { concurrency: 1, onIdle: idle.resolve });
    await idle.promise;
    await consumer.close();
    expect(calls).toEqual([]);
    expect(await queue.failed('run', 10)).toEqual([{ shard: 0, reason: expect.stringContaining(reason), attempts: 1 }]);
    expect(lines.join()).toContain(reason);
  });

  it('aborts the job whose lock is lost, and another consumer does it', async () => {
    const { queue, name } = await open({ lockDurationMs: 400 });
    await queue.add([jobOf(0)]);
    let lost = false;
    const taken = defer();
    const aborted = defer<unknown>();
    const done = defer<number>();
    const consumer = await queue.consume(
      async (_job, { attempt, signal }) => {
        if (!lost) {
          lost = true;
          taken.resolve();
          await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }));
          aborted.resolve(signal.reason);
          signal.throwIfAborted();
        }
        done.resolve(attempt);
      },
      { concurrency: 2 },
    );
    await taken.promise;
    expect(await withRedis(redisUrl(), redis => redis.del(`bull:${name}:run-0:lock`))).toBe(1);
    expect(await aborted.promise).toEqual(new Error('the lock of the job is lost'));
    expect(await done.promise).toBe(1);
    await consumer.close();
    expect(await queue.counts()).toEqual({ waiting: 0, active: 0, delayed: 0, failed: 0 });
  });

  it('queues again what is left of a job: its data without a place, or its place without the data', async () => {
    const { queue, name } = await open();
    await queue.add(jobsOf(4));
    await withRedis(redisUrl(), async redis => {
      expect(await redis.lrem(`bull:${name}:wait`, 1, 'run-1')).toBe(1);
      expect(await redis.del(`bull:${name}:run-2`)).toBe(1);
    });
    const lost = await queue.lost(jobsOf(4));
    expect(lost).toEqual([jobOf(1), jobOf(2)]);
    await queue.add(lost);
    expect(await queue.lost(jobsOf(4))).toEqual([]);
    const done: number[] = [];
    const idle = defer();
    const consumer = await queue.consume(async job => void done.push(job.shard), {
      concurrency: 1,
      onIdle: idle.resolve,
    });
    await idle.promise;
    await consumer.close();
    expect(done.sort()).toEqual([0, 1, 2, 3]);
    expect(await queue.counts()).toEqual({ waiting: 0, active: 0, delayed: 0, failed: 0 });
  });

  it('gives back a job to another worker, which takes it at once', async () => {
    const { queue, name } = await open();
    const other = await openBullmqQueue({ url: redisUrl(), name });
    cleanUps.push(() => other.close());
    await queue.add([jobOf(0)]);
    const taken = defer();
    const consumer = await queue.consume(
      async (_job, { signal }) => {
        taken.resolve();
        await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }));
        throw new JobReleased('stopping');
      },
      { concurrency: 1 },
    );
    await taken.promise;
    const done = defer<number>();
    await other.consume(async (_job, { attempt }) => done.resolve(attempt), { concurrency: 1 });
    await consumer.close({ force: true });
    expect(await done.promise).toBe(1);
  });
});

describe('opening the BullMQ queue', () => {
  it('refuses an address without a server, without its password', async () => {
    const opening = openBullmqQueue({ url: 'redis://someone:secret@127.0.0.1:1/0' });
    await expect(opening).rejects.toMatchObject({
      name: 'Refusal',
      code: 'queue-unreachable',
      message: 'Expected a Redis server at redis://someone:***@127.0.0.1:1/0 but received no answer (ECONNREFUSED)',
      hint: expect.stringContaining('redis-server'),
    });
  });

  it.each(['localhost', 'http://localhost:6379', 'redis://local host'])('refuses %s as an address', async url => {
    await expect(openBullmqQueue({ url })).rejects.toMatchObject({
      code: 'bad-option',
      message: expect.stringContaining(url),
    });
  });

  it('refuses a wrong or missing password', async () => {
    const server = await openOwnRedis({ password: 'right' });
    try {
      const wrong = openBullmqQueue({ url: `redis://:secret@127.0.0.1:${server.port}` });
      await expect(wrong).rejects.toMatchObject({
        code: 'queue-unsuitable',
        message: `Expected a Redis server at redis://:***@127.0.0.1:${server.port} but received a refusal of the password`,
      });
      const missing = openBullmqQueue({ url: `redis://127.0.0.1:${server.port}` });
      await expect(missing).rejects.toMatchObject({ message: expect.stringContaining('a request for a password') });
      const queue = await openBullmqQueue({ url: `redis://default:right@127.0.0.1:${server.port}` });
      await queue.close();
    } finally {
      await server.close();
    }
  });

  it('refuses a server that may drop jobs, unless that is allowed: then it warns', async () => {
    const server = await openOwnRedis({ extraArguments: ['--maxmemory-policy', 'allkeys-lru'] });
    try {
      const { lines, logger } = recordingLogger();
      await expect(openBullmqQueue({ url: server.url })).rejects.toMatchObject({
        code: 'queue-unsuitable',
        message: expect.stringContaining('received allkeys-lru'),
      });
      await (await openBullmqQueue({ url: server.url, logger, allowEviction: true })).close();
      expect(lines).toEqual([expect.stringContaining('maxmemory-policy allkeys-lru')]);
    } finally {
      await server.close();
    }
  });

  it('keeps trying for a worker, with one line, until the server is there', async () => {
    const nobody = await openSlammingServer(3);
    const { lines, logger } = recordingLogger();
    const opening = openBullmqQueue({
      url: `redis://:secret@127.0.0.1:${nobody.port}`,
      logger,
      connectWithRetry: { signal: new AbortController().signal, firstDelayMs: 5 },
    });
    await nobody.tried;
    expect(lines).toEqual([expect.stringMatching(/but received no answer .*; trying again/)]);
    await nobody.close();
    const server = await openOwnRedis({ port: nobody.port, password: 'secret' });
    try {
      await (await opening).close();
      expect(lines.at(-1)).toBe(`connected to Redis at redis://:***@127.0.0.1:${nobody.port}`);
    } finally {
      await server.close();
    }
  });

  it('stops trying when it is told to', async () => {
    const stop = new AbortController();
    const logger: Logger = { log: () => stop.abort() };
    const opening = openBullmqQueue({ url: 'redis://127.0.0.1:1', logger, connectWithRetry: { signal: stop.signal } });
    await expect(opening).rejects.toMatchObject({ code: 'interrupted' });
  });
});

describe('a BullMQ consumer whose Redis restarts', () => {
  it('goes on by itself, with one line when it went and one when it is back', async () => {
    const first = await openOwnRedis();
    const { lines, logger } = recordingLogger();
    const queue = await openBullmqQueue({ url: first.url, logger });
    const shards: number[] = [];
    let done = defer();
    const consumer = await queue.consume(
      async job => {
        shards.push(job.shard);
        done.resolve();
      },
      { concurrency: 2 },
    );
    await queue.add([jobOf(0)]);
    await done.promise;
    done = defer();
    await first.close();
    const nobody = await openSlammingServer(6, first.port);
    await nobody.tried;
    await nobody.close();
    const second = await openOwnRedis({ port: first.port });
    try {
      await queue.add([jobOf(1)]);
      await done.promise;
      expect(shards).toEqual([0, 1]);
      expect(lines).toEqual([expect.stringContaining('lost Redis'), expect.stringContaining('is back')]);
      await consumer.close();
      await queue.close();
    } finally {
      await second.close();
    }
  });
});
