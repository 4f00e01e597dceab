// What every queue must do, run over each implementation by its own test file.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JOB_VERSION, type ShardJob } from '../../../shared/src/job.ts';
import {
  type ConsumeOptions,
  type JobConsumer,
  type JobHandler,
  type JobQueue,
  JobRefused,
  JobReleased,
  SHARD_ATTEMPTS,
} from '../../../shared/src/queue.ts';
import { defer } from '../../support/deferred.ts';

export interface OpenedQueue {
  readonly queue: JobQueue;
  /** Removes everything that the test left, after the queue was closed. */
  cleanUp(): Promise<void>;
}

export function jobOf(shard: number, runId = 'run'): ShardJob {
  return { version: JOB_VERSION, out: '/out', runId, fingerprint: 'abc', shard };
}

export function jobsOf(count: number, runId = 'run'): readonly ShardJob[] {
  return Array.from({ length: count }, (_, shard) => jobOf(shard, runId));
}

export function describeQueue(name: string, open: () => Promise<OpenedQueue>): void {
  describe(name, () => {
    let opened: OpenedQueue;
    let queue: JobQueue;

    beforeEach(async () => {
      opened = await open();
      queue = opened.queue;
    });

    afterEach(async () => {
      await queue.close();
      await opened.cleanUp();
    });

    /** Works until nothing is left to do. */
    async function drain(handler: JobHandler, options: Partial<ConsumeOptions> = {}): Promise<void> {
      const idle = defer();
      const consumer = await queue.consume(handler, { concurrency: 1, onIdle: idle.resolve, ...options });
      await idle.promise;
      await consumer.close();
    }

    /** Takes one job and keeps it in hand until `finish` or an abort. */
    async function holdOne(): Promise<{
      readonly consumer: JobConsumer;
      readonly signal: AbortSignal;
      readonly finish: () => void;
    }> {
      const taken = defer<AbortSignal>();
      const end = defer();
      const consumer = await queue.consume(
        async (_job, { signal }) => {
          taken.resolve(signal);
          signal.addEventListener('abort', () => end.resolve(), { once: true });
          await end.promise;
          signal.throwIfAborted();
        },
        { concurrency: 1 },
      );
      return { consumer, signal: await taken.promise, finish: end.resolve };
    }

    it('hands out jobs in the order in which they were added', async () => {
      await queue.add(jobsOf(5));
      const shards: number[] = [];
      await drain(async job => void shards.push(job.shard));
      expect(shards).toEqual([0, 1, 2, 3, 4]);
    });

    it('hands out a job as it was added, with its first attempt', async () => {
      await queue.add([jobOf(7)]);
      const calls: unknown[] = [];
      await drain(async (job, { attempt, signal }) => void calls.push([job, attempt, signal.aborted]));
      expect(calls).toEqual([[jobOf(7), 1, false]]);
    });

    it('gives every job to exactly one of two consumers', async () => {
      await queue.add(jobsOf(40));
      const shards: number[] = [];
      const all = defer();
      const handler: JobHandler = async job => {
        await nextTurn();
        shards.push(job.shard);
        if (shards.length === 40) all.resolve();
      };
      const consumers = [
        await queue.consume(handler, { concurrency: 2 }),
        await queue.consume(handler, { concurrency: 2 }),
      ];
      await all.promise;
      await Promise.all(consumers.map(consumer => consumer.close()));
      expect(shards.sort((a, b) => a - b)).toEqual(jobsOf(40).map(({ shard }) => shard));
      expect(await queue.counts()).toEqual({ waiting: 0, active: 0, delayed: 0, failed: 0 });
    });

    it('has no more jobs in hand than the concurrency', async () => {
      await queue.add(jobsOf(12));
      let inHand = 0;
      const seen: number[] = [];
      await drain(
        async () => {
          inHand += 1;
          seen.push(inHand);
          await nextTurn();
          await nextTurn();
          inHand -= 1;
        },
        { concurrency: 3 },
      );
      expect(Math.max(...seen)).toBe(3);
    });

    it('tries a failed job again and counts the attempts', async () => {
      await queue.add([jobOf(0)]);
      const attempts: number[] = [];
      await drain(async (_job, { attempt }) => {
        attempts.push(attempt);
        if (attempt === 1) throw new Error('disk full');
      });
      expect(attempts).toEqual([1, 2]);
      expect(await queue.failed('run', 10)).toEqual([]);
    });

    it('fails a job whose attempts are spent, with its reason and causes', async () => {
      await queue.add([jobOf(3)]);
      const failures: unknown[] = [];
      let attempts = 0;
      await drain(
        async () => {
          attempts += 1;
          throw new Error('could not publish', { cause: new Error('disk full') });
        },
        { onFailed: (job, error) => failures.push([job, error.message]) },
      );
      expect(attempts).toBe(SHARD_ATTEMPTS);
      expect(failures).toEqual([[jobOf(3), expect.stringContaining('could not publish')]]);
      expect(await queue.failed('run', 10)).toEqual([
        { shard: 3, reason: 'could not publish: disk full', attempts: SHARD_ATTEMPTS },
      ]);
      expect(await queue.counts()).toMatchObject({ waiting: 0, failed: 1 });
    });

    it('lists the failed jobs of one run, no more than asked for', async () => {
      await queue.add([...jobsOf(3, 'run'), ...jobsOf(2, 'run-1')]);
      await drain(async () => Promise.reject(new JobRefused('no')));
      const shardsOf = async (runId: string, limit: number): Promise<readonly number[]> =>
        (await queue.failed(runId, limit)).map(({ shard }) => shard).sort();
      expect(await shardsOf('run', 10)).toEqual([0, 1, 2]);
      expect(await shardsOf('run-1', 10)).toEqual([0, 1]);
      expect(await shardsOf('run', 2)).toHaveLength(2);
      expect(await queue.failed('elsewhere', 10)).toEqual([]);
    });

    it('does not try a refused job again', async () => {
      await queue.add([jobOf(0)]);
      let calls = 0;
      const failures: unknown[] = [];
      await drain(
        async () => {
          calls += 1;
          throw new JobRefused('the model is gone');
        },
        { onFailed: (_job, error) => failures.push(error.message) },
      );
      expect(calls).toBe(1);
      expect(failures).toEqual(['the model is gone']);
      expect(await queue.failed('run', 10)).toEqual([{ shard: 0, reason: 'the model is gone', attempts: 1 }]);
    });

    it('spends no attempt on a job that is given back', async () => {
      await queue.add([jobOf(0)]);
      const attempts: number[] = [];
      await drain(async (_job, { attempt }) => {
        attempts.push(attempt);
        if (attempts.length === 1) throw new JobReleased('not here');
        if (attempts.length <= SHARD_ATTEMPTS + 1) throw new JobReleased('not yet', 5);
      });
      expect(attempts).toEqual(Array.from({ length: SHARD_ATTEMPTS + 2 }, () => 1));
      expect(await queue.counts()).toEqual({ waiting: 0, active: 0, delayed: 0, failed: 0 });
    });

    it('tells which jobs were given back for later, and why, until they are taken', async () => {
      await queue.add([jobOf(0), jobOf(0, 'other')]);
      const back = defer();
      let taken = 0;
      const consumer = await queue.consume(
        async () => {
          if (++taken === 2) back.resolve();
          throw new JobReleased('no such engine here', 60_000);
        },
        { concurrency: 1 },
      );
      await back.promise;
      await expect.poll(() => queue.released('run', 5)).toEqual([{ shard: 0, reason: 'no such engine here' }]);
      expect(await queue.failed('run', 5)).toEqual([]);
      await consumer.close();
    });

    it('ignores a job that waits already', async () => {
      await queue.add([jobOf(0), jobOf(0)]);
      await queue.add([jobOf(0), jobOf(1)]);
      expect(await queue.counts()).toMatchObject({ waiting: 2 });
    });

    it('ignores a job that a worker has in hand', async () => {
      await queue.add([jobOf(0)]);
      const { consumer, finish } = await holdOne();
      await queue.add([jobOf(0)]);
      expect(await queue.counts()).toMatchObject({ waiting: 0, active: 1 });
      finish();
      await consumer.close();
      expect(await queue.counts()).toEqual({ waiting: 0, active: 0, delayed: 0, failed: 0 });
    });

    it('queues a failed job again, with all its attempts', async () => {
      await queue.add([jobOf(0), jobOf(1)]);
      await drain(async () => Promise.reject(new JobRefused('no')));
      await queue.add([jobOf(1)]);
      expect(await queue.failed('run', 10)).toEqual([{ shard: 0, reason: 'no', attempts: 1 }]);
      const calls: unknown[] = [];
      await drain(async (job, { attempt }) => void calls.push([job.shard, attempt]));
      expect(calls).toEqual([[1, 1]]);
    });

    it('queues a job again that was done', async () => {
      const shards: number[] = [];
      for (let round = 0; round < 2; round++) {
        await queue.add([jobOf(0)]);
        await drain(async job => void shards.push(job.shard));
      }
      expect(shards).toEqual([0, 0]);
    });

    it('forgets the jobs of one run, but for those in hand', async () => {
      await queue.add([jobOf(0, 'old')]);
      await drain(async () => Promise.reject(new JobRefused('no')));
      await queue.add([jobOf(1, 'old'), jobOf(2, 'old'), jobOf(0, 'old-1')]);
      const { consumer, finish } = await holdOne();
      expect(await queue.held('old')).toBe(2);
      await queue.forget('old');
      expect(await queue.held('old')).toBe(0);
      expect(await queue.counts()).toEqual({ waiting: 1, active: 1, delayed: 0, failed: 0 });
      expect(await queue.peek()).toEqual(jobOf(0, 'old-1'));
      const closed = consumer.close();
      finish();
      await closed;
    });

    it('names the jobs that it does not hold: neither waiting, nor in hand, nor failed', async () => {
      expect(await queue.lost(jobsOf(2))).toEqual(jobsOf(2));
      await queue.add([jobOf(0)]);
      await drain(async () => Promise.reject(new JobRefused('no')));
      await queue.add([jobOf(1), jobOf(2), jobOf(9, 'other')]);
      const { consumer, finish } = await holdOne();
      expect(await queue.lost(jobsOf(5))).toEqual([jobOf(3), jobOf(4)]);
      const closed = consumer.close();
      finish();
      await closed;
      expect(await queue.lost([jobOf(1), jobOf(2)])).toEqual([jobOf(1)]);
    });

    it('shows the next job without taking it', async () => {
      expect(await queue.peek()).toBeUndefined();
      await queue.add(jobsOf(2));
      expect(await queue.peek()).toEqual(jobOf(0));
      expect(await queue.peek()).toEqual(jobOf(0));
      expect(await queue.counts()).toMatchObject({ waiting: 2, active: 0 });
    });

    it('shows a job that waits for its time', async () => {
      await queue.add([jobOf(4)]);
      const released = defer();
      const consumer = await queue.consume(
        async () => {
          released.resolve();
          throw new JobReleased('not here', 60_000);
        },
        { concurrency: 1 },
      );
      await released.promise;
      await consumer.close();
      expect(await queue.counts()).toMatchObject({ waiting: 0, delayed: 1 });
      expect(await queue.peek()).toEqual(jobOf(4));
      await queue.forget('run');
      expect(await queue.peek()).toBeUndefined();
    });

    it('closes when the job in hand has ended, and takes no other', async () => {
      await queue.add(jobsOf(2));
      const { consumer, finish, signal } = await holdOne();
      let closed = false;
      const closing = consumer.close().then(() => {
        closed = true;
      });
      await queue.counts();
      expect(closed).toBe(false);
      finish();
      await closing;
      expect(signal.aborted).toBe(false);
      expect(await queue.counts()).toEqual({ waiting: 1, active: 0, delayed: 0, failed: 0 });
    });

    it('aborts and gives back the job in hand when it is closed by force', async () => {
      await queue.add([jobOf(0)]);
      const { consumer, signal } = await holdOne();
      await consumer.close({ force: true });
      expect(signal.aborted).toBe(true);
      expect(await queue.counts()).toEqual({ waiting: 1, active: 0, delayed: 0, failed: 0 });
      const attempts: number[] = [];
      await drain(async (_job, { attempt }) => void attempts.push(attempt));
      expect(attempts).toEqual([1]);
    });

    it('gives back what is still in hand when a patient close turns into a forced one', async () => {
      await queue.add([jobOf(0)]);
      const { consumer } = await holdOne();
      const patient = consumer.close();
      await consumer.close({ force: true });
      await patient;
      expect(await queue.counts()).toEqual({ waiting: 1, active: 0, delayed: 0, failed: 0 });
    });

    it('tells each time when there is nothing to do', async () => {
      let told = 0;
      let idle = defer();
      const consumer = await queue.consume(async () => undefined, {
        concurrency: 2,
        onIdle: () => {
          told += 1;
          idle.resolve();
        },
      });
      await idle.promise;
      idle = defer();
      await queue.add(jobsOf(4));
      await idle.promise;
      await consumer.close();
      expect(told).toBe(2);
    });

    it('is not idle while a job waits for its next attempt', async () => {
      await queue.add([jobOf(0)]);
      const events: string[] = [];
      await drain(
        async (_job, { attempt }) => {
          events.push(`attempt ${attempt}`);
          if (attempt < SHARD_ATTEMPTS) throw new Error('not yet');
        },
        { concurrency: 2 },
      );
      expect(events).toEqual(['attempt 1', 'attempt 2', 'attempt 3']);
    });
  });
}
