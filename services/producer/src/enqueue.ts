// Queues the shards of a run that have no receipt yet; the queue is a cache that can be rebuilt from the directory.
import { setTimeout as delay } from 'node:timers/promises';
import { JOB_VERSION, type ShardJob } from '../../../shared/src/job.ts';
import type { JobQueue } from '../../../shared/src/queue.ts';
import { missingShards, type RunRecord } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';

export interface EnqueueOptions {
  /** Jobs that may wait in the queue at once; beyond that the producer waits for the workers. @default 10_000 */
  readonly maxWaiting?: number;
  readonly signal?: AbortSignal;
}

/** Jobs per call to the queue. */
const CHUNK = 500;
const BACKPRESSURE_POLL_MS = 250;

/** Returns the number of shards that were queued. */
export async function enqueueRun(
  queue: JobQueue,
  run: RunRecord,
  storage: Storage,
  options: EnqueueOptions = {},
): Promise<number> {
  const maxWaiting = options.maxWaiting ?? 10_000;
  const jobs = await missingJobs(run, storage);
  for (let start = 0; start < jobs.length; start += CHUNK) {
    options.signal?.throwIfAborted();
    while ((await queue.counts()).waiting >= maxWaiting) {
      // An abort speaks with its own reason, not as the timer's.
      await delay(BACKPRESSURE_POLL_MS, undefined, { signal: options.signal }).catch(() => undefined);
      options.signal?.throwIfAborted();
    }
    await queue.add(jobs.slice(start, start + CHUNK));
  }
  return jobs.length;
}

/** The jobs of a run that is not done which its queue does not hold, whatever else lies there. */
export async function lostJobs(queue: JobQueue, run: RunRecord, storage: Storage): Promise<readonly ShardJob[]> {
  const lost = await queue.lost(await missingJobs(run, storage));
  if (lost.length === 0) return lost;
  // A worker writes the receipt before its job goes: one that ended in between has its receipt by now.
  const missing = new Set(await missingShards(storage, run));
  return lost.filter(({ shard }) => missing.has(shard));
}

async function missingJobs(run: RunRecord, storage: Storage): Promise<readonly ShardJob[]> {
  return (await missingShards(storage, run)).map(
    (shard): ShardJob => ({
      version: JOB_VERSION,
      out: storage.root,
      runId: run.runId,
      fingerprint: run.fingerprint,
      shard,
    }),
  );
}
