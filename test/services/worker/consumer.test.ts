// The worker's parent, over real queues and real processes that speak the protocol.

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker as BullmqWorker, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openWorker, type Worker, type WorkerOptions } from '../../../services/worker/src/consumer.ts';
import { JOB_VERSION, type ShardJob } from '../../../shared/src/job.ts';
import type { Logger } from '../../../shared/src/logger.ts';
import { type JobQueue, JobReleased, SHARD_ATTEMPTS } from '../../../shared/src/queue.ts';
import { openBullmqQueue } from '../../../shared/src/queues/bullmq.ts';
import { openMemoryQueue } from '../../../shared/src/queues/memory.ts';
import { builtProgram } from '../../support/built-program.ts';
import { defer } from '../../support/deferred.ts';
import type { DoubleReceipt } from '../../support/protocol-child.ts';
import { redisUrl } from '../../support/redis.ts';

const CHILD = await builtProgram('protocol-child.ts');

interface LogLine {
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}

function jobOf(shard: number, fingerprint = 'done'): ShardJob {
  return { version: JOB_VERSION, out: '/out', runId: 'run', fingerprint, shard };
}

describe('a worker', () => {
  let queue: JobQueue;
  let folder: string;
  let worker: Worker | undefined;
  let lines: LogLine[];
  let receipts: DoubleReceipt[];

  beforeEach(async () => {
    queue = openMemoryQueue();
    folder = await mkdtemp(join(tmpdir(), 'layertap-consumer-'));
    lines = [];
    receipts = [];
  });

  afterEach(async () => {
    await worker?.close({ force: true });
    await queue.close();
    await rm(folder, { recursive: true });
  });

  async function start(options: Partial<WorkerOptions> = {}): Promise<Worker> {
    const logger: Logger = { log: (_level, message, fields) => lines.push({ message, fields }) };
    worker = await openWorker({
      queue,
      processes: 1,
      script: CHILD,
      env: { PATH: process.env.PATH },
      logger,
      onReceipt: (_job, receipt) => receipts.push(receipt as DoubleReceipt),
      ...options,
    });
    return worker;
  }

  /** Works until the queue is empty. */
  async function drain(options: Partial<WorkerOptions> = {}): Promise<void> {
    const idle = defer();
    await start({ onIdle: idle.resolve, ...options });
    await idle.promise;
  }

  const takenShards = (): readonly unknown[] =>
    lines.filter(({ message }) => message === 'took').map(({ fields }) => fields?.shard);

  const shardsOfReceipts = (): readonly number[] => receipts.map(({ shard }) => shard).sort((a, b) => a - b);

  it('warms every process before it takes a job, and loads no model again', async () => {
    await queue.add([0, 1, 2, 3, 4, 5].map(shard => jobOf(shard)));
    await drain({ processes: 2 });
    expect(shardsOfReceipts()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(receipts.map(({ loads }) => loads)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(new Set(receipts.map(({ pid }) => pid)).size).toBe(2);
  });

  it('takes no job while the processes are warming', async () => {
    await queue.add([jobOf(0, 'warm-for-ever')]);
    const stopping = await start({ processes: 2 });
    await vi.waitFor(() => expect(lines.filter(({ message }) => message === 'warming')).toHaveLength(2), 120_000);
    expect(await queue.counts()).toMatchObject({ waiting: 1, active: 0 });
    await stopping.close();
    expect(await queue.counts()).toMatchObject({ waiting: 1, active: 0 });
  });

  it('waits for the first job of an empty queue, which it says is idle', async () => {
    const done = defer();
    await drain({ onReceipt: () => done.resolve() });
    await queue.add([jobOf(0)]);
    await done.promise;
  });

  it('stops while it waits for a first job', async () => {
    await drain();
    await worker?.close();
    await queue.add([jobOf(0)]);
    expect(await queue.counts()).toMatchObject({ waiting: 1, active: 0 });
  });

  it('goes on where warming fails, so that each shard gets its own verdict', async () => {
    await queue.add([jobOf(0, 'warm-failed')]);
    await drain();
    expect(lines.map(({ message }) => message)).toContain('warming failed: no such model');
    expect(shardsOfReceipts()).toEqual([0]);
  });

  it('gives each process the current shard and the next, no more', async () => {
    await queue.add([0, 1, 2, 3, 4, 5].map(shard => jobOf(shard, 'hold')));
    await start({ processes: 2 });
    await vi.waitFor(() => expect(takenShards()).toHaveLength(4), 120_000);
    const pids = lines.filter(({ message }) => message === 'took').map(({ fields }) => fields?.pid);
    expect(pids.filter(pid => pid === pids[0])).toHaveLength(2);
    expect(await queue.counts()).toMatchObject({ waiting: 2, active: 4 });
  });

  it('finishes the shard in hand when it is closed, and gives back the one that has not begun', async () => {
    const end = join(folder, 'end');
    await queue.add([jobOf(0, `until ${end}`), jobOf(1), jobOf(2)]);
    const closing = await start();
    await vi.waitFor(() => expect(takenShards()).toEqual([0, 1]), 120_000);
    const closed = closing.close();
    await vi.waitFor(() => expect(lines).toContainEqual({ message: 'told to abort', fields: { shard: 1 } }), 120_000);
    await writeFile(end, '');
    await closed;
    expect(shardsOfReceipts()).toEqual([0]);
    expect(await queue.counts()).toEqual({ waiting: 2, active: 0, delayed: 0, failed: 0 });
    expect(await queue.peek()).toMatchObject({ shard: 1 });
  });

  it('gives back the shard in hand where its process dies while the worker is closing', async () => {
    const end = join(folder, 'end');
    await queue.add([jobOf(0, `exit-when ${end}`)]);
    const closing = await start();
    await vi.waitFor(() => expect(takenShards()).toEqual([0]), 120_000);
    const closed = closing.close();
    await writeFile(end, '');
    await closed;
    expect(await queue.counts()).toEqual({ waiting: 1, active: 0, delayed: 0, failed: 0 });
  });

  it('gives back all shards when it is closed by force, even deep in native code', async () => {
    await queue.add([jobOf(0, 'spin'), jobOf(1)]);
    const begun = defer();
    const closing = await start({ onProgress: () => begun.resolve() });
    await begun.promise;
    await closing.close({ force: true });
    expect(receipts).toEqual([]);
    expect(await queue.counts()).toEqual({ waiting: 2, active: 0, delayed: 0, failed: 0 });
  });

  it('leaves at once when a patient close turns into a forced one', async () => {
    await queue.add([jobOf(0, 'spin')]);
    const begun = defer();
    const closing = await start({ onProgress: () => begun.resolve() });
    await begun.promise;
    const patient = closing.close();
    await closing.close({ force: true });
    await patient;
    expect(await queue.counts()).toEqual({ waiting: 1, active: 0, delayed: 0, failed: 0 });
  });

  it('gives back a declined shard for later, without an attempt spent, and says why', async () => {
    await queue.add([jobOf(8, 'declined')]);
    const thrown = defer<unknown>();
    // The queue itself, with an ear at what the worker answers.
    const tapped: JobQueue = {
      ...queue,
      consume: (handler, options) =>
        queue.consume(async (job, context) => {
          await handler(job, context).catch(error => {
            thrown.resolve(error);
            throw error;
          });
        }, options),
    };
    await start({ queue: tapped });
    const error = await thrown.promise;
    expect(error).toBeInstanceOf(JobReleased);
    expect(error).toMatchObject({ message: 'declined for a reason', delayMs: 5000 });
    expect(lines.map(({ message }) => message)).toContain('shard 8 of run run is declined: declined for a reason');
  });

  it('fails a declined shard at once where no other worker could take it', async () => {
    await queue.add([jobOf(8, 'declined')]);
    const failures: unknown[] = [];
    await drain({ alone: true, onFailed: (job, error) => failures.push([job.shard, error.message]) });
    expect(failures).toEqual([[8, 'declined for a reason']]);
  });

  it('fails a refused shard without retries', async () => {
    await queue.add([jobOf(0, 'refused')]);
    const failures: unknown[] = [];
    await drain({ onFailed: (job, error) => failures.push([job.shard, error.message]) });
    expect(failures).toEqual([[0, 'refused for a reason']]);
    expect(await queue.failed('run', 10)).toEqual([{ shard: 0, reason: 'refused for a reason', attempts: 1 }]);
  });

  it('tries a failed shard again until its attempts are spent', async () => {
    await queue.add([jobOf(0, 'retry')]);
    await drain();
    expect(takenShards()).toEqual([0, 0, 0]);
    expect(await queue.failed('run', 10)).toMatchObject([{ shard: 0, attempts: SHARD_ATTEMPTS }]);
  });

  it('survives a process that dies: the shard is done by the next one', async () => {
    await queue.add([jobOf(0), jobOf(1, 'segfault-once'), jobOf(2), jobOf(3)]);
    await drain();
    expect(shardsOfReceipts()).toEqual([0, 1, 2, 3]);
    expect(receipts.find(({ shard }) => shard === 1)).toMatchObject({ attempt: 2 });
  });

  it('tries a shard alone that failed before, so that a deadly one takes no other along', async () => {
    await queue.add([jobOf(0, 'segfault'), jobOf(1)]);
    await drain({ restartDelayMs: 1 });
    expect(receipts).toEqual([expect.objectContaining({ shard: 1, attempt: 2 })]);
    expect(await queue.failed('run', 10)).toEqual([
      { shard: 0, reason: 'engine process ended by SIGSEGV while working on shard 0', attempts: SHARD_ATTEMPTS },
    ]);
  });
});

describe('a worker on Redis', () => {
  it('begins where all that is left lies in the hands of workers that died', async () => {
    const name = `test-${randomUUID()}`;
    const connection = new Redis(redisUrl(), { maxRetriesPerRequest: null });
    const queue = await openBullmqQueue({ url: redisUrl(), name, lockDurationMs: 300 });
    await queue.add([jobOf(0)]);
    const dead = new BullmqWorker(name, null, { connection, lockDuration: 300 });
    await dead.getNextJob('a token that nobody renews');
    expect(await queue.counts()).toMatchObject({ waiting: 0, active: 1 });
    const done = defer();
    const worker = await openWorker({
      queue,
      processes: 1,
      script: CHILD,
      env: { PATH: process.env.PATH },
      logger: { log: () => undefined },
      onReceipt: () => done.resolve(),
    });
    await done.promise;
    await worker.close();
    await queue.close();
    await dead.close();
    const rest = new Queue(name, { connection });
    await rest.obliterate({ force: true });
    await rest.close();
    await connection.quit();
  });

  it('fails a job of a newer version although nothing else waits to be warmed for', async () => {
    const name = `test-${randomUUID()}`;
    const connection = new Redis(redisUrl(), { maxRetriesPerRequest: null });
    const foreign = new Queue(name, { connection });
    await foreign.add('shard', { ...jobOf(0), version: 2 }, { jobId: 'run-0', attempts: SHARD_ATTEMPTS });
    const queue = await openBullmqQueue({ url: redisUrl(), name });
    const idle = defer();
    const worker = await openWorker({
      queue,
      processes: 1,
      script: CHILD,
      env: {},
      logger: { log: () => undefined },
      onIdle: idle.resolve,
    });
    await idle.promise;
    await worker.close();
    expect(await queue.failed('run', 10)).toEqual([
      { shard: 0, reason: 'job schema version 2, this worker knows 1: upgrade the worker', attempts: 1 },
    ]);
    await queue.close();
    await foreign.obliterate({ force: true });
    await foreign.close();
    await connection.quit();
  });
});
