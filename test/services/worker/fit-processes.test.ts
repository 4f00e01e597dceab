// As many engine processes as the memory holds: real processes that hold nothing, in a made-up memory that all workers share.
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { openWorker, type Worker } from '../../../services/worker/src/consumer.ts';
import type { MemoryFit } from '../../../services/worker/src/fit-processes.ts';
import { JOB_VERSION, type ShardJob } from '../../../shared/src/job.ts';
import type { Logger } from '../../../shared/src/logger.ts';
import type { JobQueue } from '../../../shared/src/queue.ts';
import { openMemoryQueue } from '../../../shared/src/queues/memory.ts';
import { defer } from '../../support/deferred.ts';

/** What each process of the double says that it holds when it is warm. */
const HELD = 1e9;

describe('a worker that counts its engine processes by the memory', () => {
  let queue: JobQueue;
  let workers: Worker[];
  /** Of all processes that are warm: whoever looks while another one loads its model sees too much. */
  let warm: Set<unknown>;
  let memory: number;
  let messages: string[];

  beforeEach(() => {
    queue = openMemoryQueue();
    workers = [];
    warm = new Set();
    messages = [];
  });

  afterEach(async () => {
    for (const worker of workers) await worker.close({ force: true });
    await queue.close();
  });

  const free = (): number => {
    for (const pid of warm) if (!isAlive(Number(pid))) warm.delete(pid);
    return memory - warm.size * HELD;
  };

  async function open(processes: number, fit: Partial<MemoryFit> = {}): Promise<void> {
    const logger: Logger = {
      log(_level, message, fields): void {
        messages.push(message);
        if (message === 'warmed') warm.add(fields?.pid);
      },
    };
    const worker = await openWorker({
      queue,
      processes,
      fit: {
        isAmple: false,
        free,
        startOf: count => ({ args: [`of ${count}`], env: { PATH: process.env.PATH } }),
        unmeasured: 1,
        ...fit,
      },
      script: new URL('../../support/protocol-child.ts', import.meta.url),
      execArgv: ['--import', 'tsx'],
      env: { PATH: process.env.PATH },
      logger,
    });
    workers.push(worker);
  }

  /** Shards that are in hand for ever: each process takes two. */
  async function offerShards(count: number): Promise<void> {
    await queue.add(Array.from({ length: count }, (_, shard) => jobOf(shard)));
  }

  const inHand = async (): Promise<number> => (await queue.counts()).active;

  it('starts the most where they fit, one after another', async () => {
    memory = 10e9;
    await offerShards(10);
    await open(3);
    await vi.waitFor(async () => expect(await inHand()).toBe(6), 30_000);
    free();
    expect(warm.size).toBe(3);
  });

  it('starts as many as fit, with the threads of so many', async () => {
    memory = 3.5e9;
    await offerShards(10);
    await open(8, { startOf: count => ({ args: [`of ${count}`], env: { PATH: process.env.PATH } }) });
    await vi.waitFor(async () => expect(await inHand()).toBe(4), 30_000);
    free();
    expect(warm.size).toBe(2);
    expect(messages).toContain('an engine process holds 1.0 GB: the memory is enough for 2 of 8, with 2.5 GB free');
  });

  it('starts one where not even that fits', async () => {
    memory = 0.5e9;
    await offerShards(10);
    await open(4);
    await vi.waitFor(async () => expect(await inHand()).toBe(2), 30_000);
    free();
    expect(warm.size).toBe(1);
  });

  it('starts all at once where memory is ample, and closes those for which it was not', async () => {
    memory = 2.2e9;
    await offerShards(10);
    await open(3, { isAmple: true });
    await vi.waitFor(async () => expect(await inHand()).toBeGreaterThan(0), 30_000);
    expect(free()).toBeGreaterThanOrEqual(0);
    expect(warm.size).toBe(1);
    expect(messages.filter(message => message.startsWith('the memory is short'))).toHaveLength(2);
  });

  it('never takes more than there is, however many workers begin at the same moment', async () => {
    memory = 6.5e9;
    await offerShards(20);
    await Promise.all([open(4), open(4), open(4)]);
    await vi.waitFor(async () => {
      const taking = messages.filter(message => message === 'took').length;
      expect(taking).toBeGreaterThan(0);
      expect(free()).toBeGreaterThanOrEqual(0);
      expect(await inHand()).toBe(2 * warm.size);
    }, 45_000);
    expect(warm.size).toBeGreaterThanOrEqual(3);
  });

  it('takes the number that it was given where it has no shard to measure one with', async () => {
    memory = 10e9;
    const held = defer();
    onTestFinished(() => held.resolve());
    // All there is lies in the hands of another worker.
    await offerShards(1);
    const other = await queue.consume(() => held.promise, { concurrency: 1 });
    await vi.waitFor(async () => expect(await queue.counts()).toMatchObject({ waiting: 0, active: 1 }), 30_000);
    await open(4, { unmeasured: 3 });
    await queue.add(Array.from({ length: 10 }, (_, shard) => jobOf(shard + 1)));
    await vi.waitFor(async () => expect(await inHand()).toBe(1 + 2 * 3), 30_000);
    held.resolve();
    await other.close();
  });
});

function jobOf(shard: number): ShardJob {
  return { version: JOB_VERSION, out: '/out', runId: 'run', fingerprint: 'hold', shard };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
