// The queue of many workers: BullMQ on Redis. Imported lazily, since an embedded run needs neither.
import { type JobsOptions, type JobType, Queue } from 'bullmq';
import { describeError, Refusal } from '../errors.ts';
import { jobIdOf, type ShardJob } from '../job.ts';
import { type Logger, silentLogger } from '../logger.ts';
import {
  type FailedJob,
  type JobConsumer,
  type JobCounts,
  type JobQueue,
  type ReleasedJob,
  SHARD_ATTEMPTS,
} from '../queue.ts';
import { consumeBullmq } from './bullmq-consumer.ts';
import { ReleaseNote, readShardJob } from './read-job.ts';
import { type ConnectRetry, connectRedis } from './redis-connection.ts';

export interface BullmqQueueOptions {
  /** redis:// or rediss://, with user and password where needed. */
  readonly url: string;
  /** @default 'layertap' */
  readonly name?: string;
  /** @default silent */
  readonly logger?: Logger;
  /** How long a worker that fell silent keeps its jobs; renewed at half of it. @default 30000 */
  readonly lockDurationMs?: number;
  /** Pause before the second attempt; doubles. @default 1000 */
  readonly retryDelayMs?: number;
  /** Keeps trying to connect until that signal, instead of refusing: for workers. @default refuse */
  readonly connectWithRetry?: ConnectRetry;
}

/** BullMQ's own advice for one addBulk. */
const ADD_CHUNK = 1000;
const REMOVE_CHUNK = 100;
/** Failed jobs are kept to be shown and queued again, for a month and up to this many: Redis is no archive. */
const KEPT_FAILED = { count: 10_000, age: 30 * 24 * 3600 };
/** Where a job lies that no worker has in hand, in the order in which they are taken. */
const PENDING: readonly JobType[] = ['waiting', 'prioritized', 'delayed'];
/** How many delayed jobs are looked through for released ones. */
const RELEASED_DEPTH = 100;
/** How far peek looks past jobs that it cannot read. */
const PEEK_DEPTH = 20;

export async function openBullmqQueue(options: BullmqQueueOptions): Promise<JobQueue> {
  const { url, name = 'layertap', logger = silentLogger, retryDelayMs = 1000, connectWithRetry } = options;
  const connection = await connectRedis({ url, logger, ...(connectWithRetry && { retry: connectWithRetry }) });
  const queue = new Queue(name, {
    connection,
    // Nobody reads the event stream; BullMQ would keep 10,000 of them.
    streams: { events: { maxLen: 100 } },
    defaultJobOptions: {
      attempts: SHARD_ATTEMPTS,
      backoff: { type: 'exponential', delay: retryDelayMs },
      removeOnComplete: true,
      removeOnFail: KEPT_FAILED,
    },
  });
  // redis-connection tells of outages; whatever else fails rejects the call that asked for it.
  queue.on('error', () => undefined);
  const consumers = new Set<JobConsumer>();

  async function pendingCount(): Promise<number> {
    return queue.getJobCountByTypes(...PENDING);
  }

  return {
    add: jobs => addJobs(queue, jobs),
    async counts(): Promise<JobCounts> {
      const counts = await queue.getJobCounts(...PENDING, 'active', 'failed');
      const { waiting = 0, prioritized = 0, active = 0, delayed = 0, failed = 0 } = counts;
      return { waiting: waiting + prioritized, active, delayed, failed };
    },
    failed: (runId, limit) => listFailed(queue, runId, limit),
    released: (runId, limit) => listReleased(queue, runId, limit),
    peek: () => peekJob(queue),
    held: async runId => (await heldJobs(queue, runId)).length,
    async forget(runId): Promise<void> {
      await removeJobs(queue, await heldJobs(queue, runId));
    },
    async consume(handler, consumeOptions): Promise<JobConsumer> {
      const { lockDurationMs = 30_000 } = options;
      const consumer = consumeBullmq(handler, consumeOptions, {
        name,
        connection,
        logger,
        lockDurationMs,
        pendingCount,
        onClosed: () => consumers.delete(consumer),
      });
      consumers.add(consumer);
      return consumer;
    },
    async close(): Promise<void> {
      await Promise.all([...consumers].map(consumer => consumer.close({ force: true })));
      await queue.close();
      // Without a server there is nobody to say goodbye to.
      if (connection.status === 'ready') await connection.quit();
      else connection.disconnect();
    },
  };
}

async function addJobs(queue: Queue, jobs: readonly ShardJob[]): Promise<void> {
  const failed = new Set(await queue.getRanges(['failed'], 0, -1));
  for (let start = 0; start < jobs.length; start += ADD_CHUNK) {
    const chunk = jobs.slice(start, start + ADD_CHUNK);
    // BullMQ ignores an id that it knows, and it knows the failed ones.
    await removeJobs(
      queue,
      chunk.map(jobIdOf).filter(id => failed.has(id)),
    );
    await queue
      .addBulk(chunk.map(data => ({ name: 'shard', data, opts: { jobId: jobIdOf(data) } satisfies JobsOptions })))
      .catch((error: unknown) => {
        throw isFull(error) ? fullRedis(error) : error;
      });
  }
}

/** What a server with maxmemory and noeviction says to every command that would need room. */
function isFull(error: unknown): boolean {
  return describeError(error).includes('OOM command not allowed');
}

function fullRedis(cause: unknown): Refusal {
  return new Refusal('queue-unreachable', 'Expected room for jobs but the memory of Redis is full', {
    hint: 'Raise its maxmemory (a waiting shard takes about a kilobyte), then run `npx layertap resume`: nothing is lost.',
    cause,
  });
}

/** Those that a worker has in hand stay: BullMQ removes no locked job. */
async function removeJobs(queue: Queue, ids: readonly string[]): Promise<void> {
  for (let start = 0; start < ids.length; start += REMOVE_CHUNK) {
    await Promise.all(ids.slice(start, start + REMOVE_CHUNK).map(id => queue.remove(id)));
  }
}

async function heldJobs(queue: Queue, runId: string): Promise<readonly string[]> {
  return (await queue.getRanges([...PENDING, 'failed'], 0, -1)).filter(id => isOfRun(id, runId));
}

async function listFailed(queue: Queue, runId: string, limit: number): Promise<readonly FailedJob[]> {
  const ids = (await queue.getRanges(['failed'], 0, -1)).filter(id => isOfRun(id, runId)).slice(0, limit);
  const jobs = await Promise.all(ids.map(id => queue.getJob(id)));
  return jobs.flatMap(job =>
    job === undefined
      ? [] // Queued again since the ids were read.
      : [{ shard: shardOf(job.id), reason: job.failedReason ?? 'unknown', attempts: job.attemptsMade }],
  );
}

/** Among the delayed jobs that come next: those of a retry have no note, or an old one that is told once more. */
async function listReleased(queue: Queue, runId: string, limit: number): Promise<readonly ReleasedJob[]> {
  const jobs = await queue.getJobs(['delayed'], 0, RELEASED_DEPTH - 1, true);
  return jobs
    .flatMap(job => {
      const note = ReleaseNote.safeParse(job.progress);
      return note.success && isOfRun(job.id ?? '', runId) ? { shard: shardOf(job.id), reason: note.data.released } : [];
    })
    .slice(0, limit);
}

async function peekJob(queue: Queue): Promise<ShardJob | undefined> {
  for (const type of PENDING) {
    for (const job of await queue.getJobs([type], 0, PEEK_DEPTH - 1, true)) {
      try {
        return readShardJob(job.data);
      } catch {
        // Its taker fails it with the reason; the next one is what there is to warm up for.
      }
    }
  }
  return undefined;
}

/** Ids are made by jobIdOf: RUN-SHARD, where a run's name may hold '-' too. */
function isOfRun(id: string, runId: string): boolean {
  return id.startsWith(`${runId}-`) && /^\d+$/.test(id.slice(runId.length + 1));
}

function shardOf(id: string | undefined): number {
  return Number(id?.slice(id.lastIndexOf('-') + 1));
}
