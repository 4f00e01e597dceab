// As many engine processes as the memory holds: real processes that hold nothing, in a made-up memory that all workers share.
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { openWorker, type Worker } from '../../../services/worker/src/consumer.ts';
import { EngineProcessOptions, engineThreads } from '../../../services/worker/src/engine-process-options.ts';
import { engineProcesses } from '../../../services/worker/src/engine-processes.ts';
import type { MemoryFit } from '../../../services/worker/src/fit-processes.ts';
import { JOB_VERSION, type ShardJob } from '../../../shared/src/job.ts';
import type { Logger } from '../../../shared/src/logger.ts';
import { usableProcessors } from '../../../shared/src/processors.ts';
import type { JobQueue } from '../../../shared/src/queue.ts';
import { openBullmqQueue } from '../../../shared/src/queues/bullmq.ts';
import { openMemoryQueue } from '../../../shared/src/queues/memory.ts';
import { builtProgram } from '../../support/built-program.ts';
import { defer } from '../../support/deferred.ts';
import type { DoubleReceipt } from '../../support/protocol-child.ts';
import { redisUrl } from '../../support/redis.ts';
import { requestOf, TWO_COLUMNS } from '../../support/small-run.ts';

const CHILD = await builtProgram('protocol-child.ts');

/** What a process of the double holds that loads for ever. */
const LOADING = 1e9;

describe('a worker that counts its engine processes by the memory', () => {
  let queue: JobQueue;
  let workers: Worker[];
  /** Of all processes that are warm, what they hold: whoever looks while another one loads its model sees too much. */
  let warm: Map<number, number>;
  let memory: number;
  let messages: string[];
  let receipts: DoubleReceipt[];
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'layertap-fit-'));
    queue = openMemoryQueue();
    workers = [];
    warm = new Map();
    messages = [];
    receipts = [];
  });

  afterEach(async () => {
    for (const worker of workers) await worker.close({ force: true });
    await queue.close();
    await rm(folder, { recursive: true });
  });

  const free = (): number => {
    for (const pid of warm.keys()) if (!isAlive(pid)) warm.delete(pid);
    return [...warm.values()].reduce((left, bytes) => left - bytes, memory);
  };

  async function open(processes: number, fit: Partial<MemoryFit> = {}): Promise<void> {
    const logger: Logger = {
      log(_level, message, fields): void {
        messages.push(message);
        if (message === 'warming') warm.set(Number(fields?.pid), LOADING);
        if (message === 'warmed') warm.set(Number(fields?.pid), Number(fields?.bytes));
      },
    };
    const worker = await openWorker({
      queue,
      processes,
      fit: {
        isAmple: () => false,
        free,
        startOf: count => ({ args: [`of ${count}`], env: { PATH: process.env.PATH } }),
        unmeasured: 1,
        ...fit,
      },
      script: CHILD,
      env: { PATH: process.env.PATH },
      logger,
      onReceipt: (_job, receipt) => receipts.push(receipt as DoubleReceipt),
    });
    workers.push(worker);
  }

  /** By default shards that are in hand for ever: each process takes two. */
  async function offerShards(count: number, fingerprint = 'hold', first = 0): Promise<void> {
    await queue.add(Array.from({ length: count }, (_, index) => jobOf(first + index, fingerprint)));
  }

  const taken = (): number => messages.filter(message => message === 'took').length;

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
    await open(3, { isAmple: () => true });
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
    await offerShards(10, 'hold - cold', 1);
    await vi.waitFor(async () => expect(await inHand()).toBe(1 + 2 * 3), 30_000);
    held.resolve();
    await other.close();
  });

  it('takes the number that it was given where the first model cannot be loaded, and counts with the next one', async () => {
    memory = 10e9;
    await offerShards(12, 'done - cold');
    await open(4, { unmeasured: 2 });
    await vi.waitFor(() => expect(receipts).toHaveLength(12), 30_000);
    expect(new Set(receipts.map(({ pid }) => pid)).size).toBe(2);
    expect(receipts.map(({ args }) => args)).toEqual(receipts.map(() => ['of 2']));
    await offerShards(10, 'hold', 12);
    await vi.waitFor(async () => expect(await inHand()).toBe(8), 30_000);
  });

  it('closes the newest ones while all load, where others take the memory', async () => {
    memory = 3.2e9;
    await offerShards(1, 'warm-for-ever');
    await open(4, { isAmple: () => true });
    await vi.waitFor(() => {
      free();
      expect([...warm.values()]).toEqual([LOADING, LOADING]);
      expect(messages.filter(message => message.startsWith('the memory is short'))).toHaveLength(2);
    }, 30_000);
    expect(messages.filter(message => message.startsWith('warming failed'))).toEqual([]);
  });

  it.for(['memory', 'Redis'])(
    'counts anew where the model of another run takes more, over %s',
    async (kind, context) => {
      if (kind === 'Redis') queue = await openRedisQueue(context.onTestFinished);
      memory = 10e9;
      const [small, large] = [`until ${folder}/small 1e9`, `until ${folder}/large 4e9`];
      await offerShards(6, small);
      await offerShards(4, large, 6);
      await open(4);
      await vi.waitFor(() => expect(taken()).toBe(6), 30_000);
      // The others are given back until those are done.
      await vi.waitFor(async () => expect(await queue.counts()).toMatchObject({ waiting: 4, active: 6 }), 30_000);
      expect([warm.size, taken()]).toEqual([4, 6]);
      await writeFile(join(folder, 'small'), '');
      await vi.waitFor(() => expect(taken()).toBe(10), 60_000);
      expect(free()).toBe(2e9);
      // A model that was measured before is not again, and one that is new may be smaller.
      await writeFile(join(folder, 'large'), '');
      await offerShards(6, small, 10);
      await vi.waitFor(() => expect(receipts).toHaveLength(16), 60_000);
      expect(new Set(receipts.slice(6).map(({ args }) => args[0]))).toEqual(new Set(['of 2']));
      await offerShards(10, `until ${folder}/third 1.5e9`, 16);
      await vi.waitFor(async () => expect([await inHand(), taken()]).toEqual([8, 16 + 8]), 60_000);
      expect(free()).toBe(4e9);
      // For so many processes the large one is not known to fit.
      await writeFile(join(folder, 'third'), '');
      await offerShards(4, large, 26);
      await vi.waitFor(() => expect(receipts).toHaveLength(30), 60_000);
      expect(new Set(receipts.slice(26).map(({ args }) => args[0]))).toEqual(new Set(['of 2']));
      expect(receipts.map(({ shard }) => shard).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 30 }, (_, at) => at),
      );
      expect(taken()).toBe(30);
    },
  );

  it.for([
    ['while it finishes the shards before', 'hold', 0],
    ['while it measures', 'warm-for-ever', 1],
  ] as const)('loses no shard of another run where it is closed %s', async ([, next, done]) => {
    memory = 10e9;
    await offerShards(1, `until ${folder}/first`);
    await offerShards(2, next, 1);
    await open(2);
    await vi.waitFor(async () => expect(await queue.counts()).toMatchObject({ waiting: 2, active: 1 }), 30_000);
    await vi.waitFor(() => expect(taken()).toBe(1), 30_000);
    if (done === 1) {
      await writeFile(join(folder, 'first'), '');
      await vi.waitFor(() => expect(messages).toContain('warming'), 30_000);
    }
    const closed = workers.pop()?.close();
    await writeFile(join(folder, 'first'), '');
    await closed;
    expect(await queue.counts()).toMatchObject({ waiting: 2, active: 0, delayed: 0, failed: 0 });
    expect([receipts.length, taken()]).toEqual([1, 1]);
    expect(free()).toBe(memory);
  });

  it('waits for nothing where the memory is ample for any model', async () => {
    memory = 10e9;
    await offerShards(1, 'hold - 1e9');
    await open(2, { isAmple: () => true });
    await vi.waitFor(() => expect(taken()).toBe(1), 30_000);
    await offerShards(2, 'done - 3e9', 1);
    await vi.waitFor(() => expect(receipts).toHaveLength(1), 30_000);
    expect(await inHand()).toBeGreaterThan(0);
  });
});

describe('the engine threads of a worker', () => {
  it('are as many in a few processes as in many: equal workers share a deterministic run', () => {
    const auto = { processes: 'auto', decodeThreads: 'auto', maxMemory: 'auto' } as const;
    const options = { ...auto, name: 'worker', env: {}, allowRoot: undefined };
    const threadsOf = ({ args }: { readonly args?: readonly string[] | undefined }, deterministic: boolean): number => {
      const request = { ...requestOf(TWO_COLUMNS), ...(deterministic && { deterministic: true as const }) };
      return engineThreads(EngineProcessOptions.parse(JSON.parse(args?.[0] ?? '')), request);
    };
    const shared = engineProcesses({ ...options, threads: 'auto' });
    expect([shared.fit?.startOf(1), shared.fit?.startOf(64)].map(start => threadsOf(start ?? {}, true))).toEqual([
      1, 1,
    ]);
    // Others have all processors.
    expect(threadsOf(shared.fit?.startOf(1) ?? {}, false)).toBe(usableProcessors());
    expect(threadsOf(engineProcesses({ ...options, threads: 3 }).fit?.startOf(1) ?? {}, true)).toBe(3);
    // One who gives the number of processes has said how the processors are shared out.
    const given = engineProcesses({ ...options, processes: 1, threads: 'auto' });
    expect(threadsOf(given, true)).toBe(threadsOf(given, false));
  });
});

/** A queue of its own in the Redis of the tests. */
async function openRedisQueue(onFinished: (clear: () => Promise<void>) => void): Promise<JobQueue> {
  const name = `test-${randomUUID()}`;
  onFinished(async () => {
    const connection = new Redis(redisUrl(), { maxRetriesPerRequest: null });
    const rest = new Queue(name, { connection });
    await rest.obliterate({ force: true });
    await rest.close();
    await connection.quit();
  });
  return openBullmqQueue({ url: redisUrl(), name });
}

function jobOf(shard: number, fingerprint: string): ShardJob {
  return { version: JOB_VERSION, out: '/out', runId: 'run', fingerprint, shard };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
