// The job schema: references only, never pixels; versioned. What the producer queues and a worker takes.
import { z } from 'zod';

/** Raised when a worker of the previous version could misread a job. */
export const JOB_VERSION = 1;

export const ShardJob = z.strictObject({
  version: z.literal(JOB_VERSION),
  /** Output directory of the run, as an absolute path that every worker sees. */
  out: z.string().min(1),
  runId: z.string().min(1),
  fingerprint: z.string().min(1),
  /** Number of the shard, from 0. */
  shard: z.int().min(0),
});
export type ShardJob = z.output<typeof ShardJob>;

/** The queue's own id of a job: BullMQ ids hold no ':' and are not digits alone. */
export function jobIdOf(job: Pick<ShardJob, 'runId' | 'shard'>): string {
  return `${job.runId}-${job.shard}`;
}
