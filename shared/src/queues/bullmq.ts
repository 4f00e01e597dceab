// The queue of many workers: BullMQ on Redis. Imported lazily, since an embedded run needs neither.
import { setTimeout as sleep } from 'node:timers/promises';
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
import { type ConnectRetry, connectRedis, type RedisConnection } from './redis-connection.ts';
import { isOutage } from './redis-outages.ts';
import { FULL_HINT } from './redis-refusals.ts';
import type { RedisSettings } from './redis-target.ts';
import { unlessAborted, within } from './within.ts';

export interface BullmqQueueOptions extends RedisSettings {
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
  /** `read` writes nothing: for whoever only looks, also into a replica. @default 'write' */
  readonly access?: 'read' | 'write';
  /** Ends the attempt to connect and every call that waits for Redis, but no consumer: without it, they wait as long as it is away. */
  readonly signal?: AbortSignal;
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
const OUTAGE_PAUSE_MS = 300;
const CLOSE_BOUND_MS = 2000;

export async function openBullmqQueue(options: BullmqQueueOptions): Promise<JobQueue> {
  const { name = 'layertap', logger = silentLogger, retryDelayMs = 1000, connectWithRetry, signal } = options;
  const connection = await connectRedis({
    ...options,
    name,
    logger,
    ...(connectWithRetry && { retry: connectWithRetry }),
  });
  const { client, prefix } = connection;
  const queue = new Queue(name, {
    connection: client,
    prefix,
    skipMetasUpdate: options.access === 'read',
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
  let closed = false;

  /** Each call may be made again: it reads, or adds by name, or removes. */
  async function call<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await unlessAborted(signal, work());
      } catch (error) {
        if (signal?.aborted || closed || !isOutage(error)) throw error;
      }
      await unlessAborted(signal, untilWritable(connection));
    }
  }

  return {
    add: jobs => call(() => addJobs(queue, client, jobs)),
    async counts(): Promise<JobCounts> {
      const counts = await call(() => queue.getJobCounts(...PENDING, 'active', 'failed'));
      const { waiting = 0, prioritized = 0, active = 0, delayed = 0, failed = 0 } = counts;
      return { waiting: waiting + prioritized, active, delayed, failed };
    },
    failed: (runId, limit) => call(() => listFailed(queue, runId, limit)),
    released: (runId, limit) => call(() => listReleased(queue, runId, limit)),
    peek: () => call(() => peekJob(queue)),
    held: runId => call(async () => (await heldJobs(queue, runId)).length),
    lost: jobs => call(() => lostJobs(queue, client, jobs)),
    forget: runId => call(async () => removeJobs(queue, await heldJobs(queue, runId))),
    async consume(handler, consumeOptions): Promise<JobConsumer> {
      const { lockDurationMs = 30_000 } = options;
      const consumer = consumeBullmq(handler, consumeOptions, {
        name,
        connection,
        logger,
        lockDurationMs,
        pendingCount: () => queue.getJobCountByTypes(...PENDING),
        onClosed: () => consumers.delete(consumer),
      });
      consumers.add(consumer);
      return consumer;
    },
    async close(): Promise<void> {
      closed = true;
      await Promise.all([...consumers].map(consumer => consumer.close({ force: true })));
      // It waits for Redis, which may be away.
      await within(CLOSE_BOUND_MS, () => queue.close()).catch(() => undefined);
      await connection.close();
    },
  };
}

/** Resolves when a lost server is back, or might be: the next call tells. */
async function untilWritable(connection: RedisConnection): Promise<void> {
  await sleep(OUTAGE_PAUSE_MS);
  await connection.write().catch(() => undefined);
}

async function addJobs(queue: Queue, client: RedisConnection['client'], jobs: readonly ShardJob[]): Promise<void> {
  for (let start = 0; start < jobs.length; start += ADD_CHUNK) {
    const chunk = jobs.slice(start, start + ADD_CHUNK);
    await removeJobs(queue, await staleIds(queue, client, chunk.map(jobIdOf)));
    await queue
      .addBulk(chunk.map(data => ({ name: 'shard', data, opts: { jobId: jobIdOf(data) } satisfies JobsOptions })))
      .catch((error: unknown) => {
        throw isFull(error) ? fullRedis(error) : error;
      });
  }
}

/** BullMQ ignores an id that it knows: that of a job that failed, or whose place in the queue is lost. */
async function staleIds(
  queue: Queue,
  client: RedisConnection['client'],
  ids: readonly string[],
): Promise<readonly string[]> {
  const known = await knownIds(queue, client, ids);
  if (known.size === 0) return [];
  const queued = new Set(await queue.getRanges([...PENDING, 'active'], 0, -1));
  return [...known].filter(id => !queued.has(id));
}

/** In no list, or without its data: what a failover to a replica, an eviction or somebody's hand has left. */
async function lostJobs(
  queue: Queue,
  client: RedisConnection['client'],
  jobs: readonly ShardJob[],
): Promise<readonly ShardJob[]> {
  const listed = new Set(await queue.getRanges([...PENDING, 'active', 'failed'], 0, -1));
  const known = await knownIds(
    queue,
    client,
    jobs.map(jobIdOf).filter(id => listed.has(id)),
  );
  return jobs.filter(job => !known.has(jobIdOf(job)));
}

/** Those whose data is there. */
async function knownIds(
  queue: Queue,
  client: RedisConnection['client'],
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  for (let start = 0; start < ids.length; start += ADD_CHUNK) {
    const chunk = ids.slice(start, start + ADD_CHUNK);
    const found = await Promise.all(chunk.map(id => client.exists(queue.toKey(id))));
    for (const [at, id] of chunk.entries()) if (found[at] === 1) known.add(id);
  }
  return known;
}

/** What a server with maxmemory and noeviction says to every command that would need room. */
function isFull(error: unknown): boolean {
  return describeError(error).includes('OOM command not allowed');
}

function fullRedis(cause: unknown): Refusal {
  return new Refusal('queue-unreachable', 'Expected room for jobs but the memory of Redis is full', {
    hint: FULL_HINT,
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
