// Takes jobs from BullMQ: maps our verdicts to its own, and a lost lock or a forced close to an abort. For bullmq.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { DelayedError, type Job, UnrecoverableError, WaitingError, Worker } from 'bullmq';
import { describeError } from '../errors.ts';
import { ShardJob } from '../job.ts';
import type { Logger } from '../logger.ts';
import { type ConsumeOptions, type JobConsumer, type JobHandler, JobRefused, JobReleased } from '../queue.ts';
import { createIdleWatch } from './idle-watch.ts';
import { type ReleaseNote, readShardJob } from './read-job.ts';
import type { RedisConnection } from './redis-connection.ts';
import { isOutage } from './redis-outages.ts';

export interface BullmqConsumerContext {
  readonly name: string;
  readonly connection: RedisConnection;
  readonly logger: Logger;
  readonly lockDurationMs: number;
  /** Jobs that wait, now or for their time. */
  readonly pendingCount: () => Promise<number>;
  readonly onClosed: () => void;
}

/**
 * A job stalls when its worker dies, which says nothing about the job; the bound is for one that takes its worker
 * along each time.
 */
const STALLS_UNTIL_FAILED = 10;
/** How long closing waits for Redis once the handlers have ended; what was not given back by then stalls and returns. */
const CLOSE_TIMEOUT_MS = 5000;

interface InHand {
  readonly controller: AbortController;
  /** Resolves when our own work on it is over. */
  readonly ended: Promise<void>;
  lockLost: boolean;
}

export function consumeBullmq(
  handler: JobHandler,
  options: ConsumeOptions,
  context: BullmqConsumerContext,
): JobConsumer {
  const { name, connection, logger, lockDurationMs } = context;
  const inHand = new Map<string, InHand>();
  const idle = createIdleWatch({ pendingCount: context.pendingCount, onIdle: options.onIdle });
  let closing = false;
  let forced = false;
  let closed: Promise<void> | undefined;
  let late: Promise<boolean> | undefined;
  let told = '';

  const worker = new Worker<unknown, void>(name, work, {
    connection: connection.client,
    prefix: connection.prefix,
    concurrency: options.concurrency,
    lockDuration: lockDurationMs,
    stalledInterval: lockDurationMs,
    maxStalledCount: STALLS_UNTIL_FAILED,
    runRetryDelay: 1000,
  });

  async function work(job: Job<unknown>, token: string | undefined): Promise<void> {
    // Fetched while the worker was being closed.
    if (closing) return giveBack(job, token, new JobReleased('the worker is closing'));
    if (isGone(job.data)) {
      const hint = 'a producer that waits queues its shard again, and so does `resume --redis`';
      logger.log('warn', `Redis has lost the data of job ${job.id}: ${hint}`);
      return;
    }
    const shardJob = readOrFail(job.data);
    const id = idOf(job);
    const controller = new AbortController();
    const handling = (async () => handler(shardJob, { attempt: job.attemptsMade + 1, signal: controller.signal }))();
    // Out of our hands before it is given back: that waits for Redis, and closing waits for our own work alone.
    const ended = handling.catch(() => undefined).then(() => void inHand.delete(id));
    const hand: InHand = { controller, ended, lockLost: false };
    inHand.set(id, hand);
    try {
      await handling;
    } catch (error) {
      if (forced) return await giveBack(job, token, new JobReleased('the worker leaves at once'));
      if (error instanceof JobReleased) return await giveBack(job, token, error);
      if (!hand.lockLost) throw toBullmqError(error);
    }
    // Somebody else's by now: a verdict of ours would be refused.
    if (hand.lockLost) {
      idle.settle(id);
      throw new WaitingError();
    }
  }

  /** Always throws what tells BullMQ to leave the job where it was put. */
  async function giveBack(
    job: Job<unknown>,
    token: string | undefined,
    { delayMs, message }: JobReleased,
  ): Promise<never> {
    try {
      if (delayMs > 0) {
        await job.updateProgress({ released: message } satisfies ReleaseNote);
        await job.moveToDelayed(Date.now() + delayMs, token);
      } else await job.moveToWait(token);
    } catch (error) {
      // Its lock is gone: it returns to the queue as a stalled job.
      logger.log('debug', `could not give back job ${job.id}: ${describeError(error)}`);
    }
    idle.settle(idOf(job));
    throw delayMs > 0 ? new DelayedError() : new WaitingError();
  }

  worker.on('active', job => {
    told = '';
    idle.begin(idOf(job));
  });
  worker.on('drained', () => idle.drained());
  worker.on('completed', job => idle.settle(idOf(job)));
  worker.on('failed', (job, error) => {
    if (job === undefined) return;
    idle.settle(idOf(job));
    // Without an end it is tried again.
    if (job.finishedOn !== undefined) tellFailed(job, error);
  });
  worker.on('lockRenewalFailed', ids => {
    for (const id of ids) {
      const hand = inHand.get(id);
      if (hand === undefined || hand.lockLost) continue;
      logger.log('warn', `lost the lock of job ${id}: leaving it to whoever takes it`);
      hand.lockLost = true;
      hand.controller.abort(new Error('the lock of the job is lost'));
    }
  });
  worker.on('error', error => {
    idle.settleAllBut(new Set(inHand.keys()));
    // The connection tells of its outages itself, and the lock was told above.
    if (!connection.isReady() || isOutage(error) || 'code' in error || error.message.startsWith('could not renew lock'))
      return;
    // It tries again at once and for ever: the same error is one line.
    const text = describeError(error);
    if (text !== told) logger.log('warn', `queue: ${text}`);
    told = text;
  });

  function tellFailed(job: Job<unknown>, error: Error): void {
    const shardJob = ShardJob.safeParse(job.data);
    if (shardJob.success) options.onFailed?.(shardJob.data, error);
    else logger.log('error', `job ${job.id} failed: ${error.message}`);
  }

  return {
    async close({ force = false } = {}): Promise<void> {
      closing = true;
      idle.stop();
      if (force) {
        forced = true;
        for (const { controller } of inHand.values()) controller.abort(new Error('the worker leaves at once'));
      }
      closed ??= worker.close().finally(context.onClosed);
      late ??= untilClosed(closed);
      await late;
    },
  };

  /** Giving a job back needs Redis, which may be gone: the bound starts when our own work has ended. */
  async function untilClosed(closing: Promise<void>): Promise<boolean> {
    const timeout = new AbortController();
    const givenUp = untilEnded().then(() => sleep(CLOSE_TIMEOUT_MS, true, { signal: timeout.signal }));
    const isLate = await Promise.race([closing.then(() => false), givenUp]);
    timeout.abort();
    givenUp.catch(() => undefined);
    if (isLate) logger.log('warn', 'Redis did not answer while closing; jobs in hand return by themselves');
    return isLate;
  }

  async function untilEnded(): Promise<void> {
    while (inHand.size > 0) await Promise.race([...inHand.values()].map(hand => hand.ended));
  }
}

/** The place of a job outlived its data: evicted, or lost in a failover. It is no failure of the shard. */
function isGone(data: unknown): boolean {
  return typeof data === 'object' && data !== null && Object.keys(data).length === 0;
}

function readOrFail(data: unknown): ShardJob {
  try {
    return readShardJob(data);
  } catch (error) {
    throw toBullmqError(error);
  }
}

function toBullmqError(error: unknown): Error {
  if (error instanceof JobRefused) return new UnrecoverableError(describeError(error));
  // Its message alone is kept in Redis: with those of its causes.
  return new Error(describeError(error), { cause: error });
}

function idOf(job: Pick<Job, 'id'>): string {
  return job.id ?? '';
}
