// The queue contract: how shards travel from the producer to the workers. Implementations stand in queues/.
import type { ShardJob } from './job.ts';

export interface JobCounts {
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
  readonly failed: number;
}

/** A job that failed for good (all attempts spent, or failed without retries). */
export interface FailedJob {
  readonly shard: number;
  readonly reason: string;
  readonly attempts: number;
}

/** A job that was given back for later, with the worker's reason. */
export interface ReleasedJob {
  readonly shard: number;
  readonly reason: string;
}

export interface JobContext {
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Aborted when the lock of the job is lost or the consumer is closed by force: stop, publish nothing. */
  readonly signal: AbortSignal;
}

/**
 * Works on one job. Resolves when the shard is done. Throws JobReleased to give it back untouched,
 * JobRefused to fail it without retries, anything else to have it retried.
 */
export type JobHandler = (job: ShardJob, context: JobContext) => Promise<void>;

/** Gives the job back without spending an attempt; taken again after `delayMs`. */
export class JobReleased extends Error {
  readonly delayMs: number;

  constructor(reason: string, delayMs = 0) {
    super(reason);
    this.name = 'JobReleased';
    this.delayMs = delayMs;
  }
}

/** Fails the job for good: trying again cannot help. */
export class JobRefused extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'JobRefused';
  }
}

export interface ConsumeOptions {
  /** Jobs in hand at once. */
  readonly concurrency: number;
  /** Called each time when no job waits and none is active in this consumer. */
  readonly onIdle?: () => void;
  /** Called when a job failed for good. */
  readonly onFailed?: (job: ShardJob, error: Error) => void;
}

export interface JobConsumer {
  /** Takes no further job and resolves when those in hand have ended. With `force`, aborts them and gives them back. */
  close(options?: { readonly force?: boolean }): Promise<void>;
}

export interface JobQueue {
  /** Adds jobs; one whose shard is queued already is ignored, one that failed before is queued again. */
  add(jobs: readonly ShardJob[]): Promise<void>;
  counts(): Promise<JobCounts>;
  /** The failed jobs of one run, at most `limit`. */
  failed(runId: string, limit: number): Promise<readonly FailedJob[]>;
  /** Jobs of one run that wait for their time after a worker gave them back, at most `limit`. */
  released(runId: string, limit: number): Promise<readonly ReleasedJob[]>;
  /** The job that would be taken next, without taking it: a worker warms its extractor for it. */
  peek(): Promise<ShardJob | undefined>;
  /** How many jobs of a run there are that no worker has in hand. */
  held(runId: string): Promise<number>;
  /** Those of these jobs that the queue does not hold, not even as failed: it lost them, or never had them. */
  lost(jobs: readonly ShardJob[]): Promise<readonly ShardJob[]>;
  /** Removes all jobs of a run that no worker has in hand. */
  forget(runId: string): Promise<void>;
  /** Starts taking jobs. */
  consume(handler: JobHandler, options: ConsumeOptions): Promise<JobConsumer>;
  close(): Promise<void>;
}

/** Attempts that a shard gets before it counts as failed. */
export const SHARD_ATTEMPTS = 3;
