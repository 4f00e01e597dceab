// Reads a job that came over the wire: one of another version is refused with what to do. For bullmq.ts.
import { z } from 'zod';
import { JOB_VERSION, ShardJob } from '../job.ts';
import { JobRefused } from '../queue.ts';

/** Throws JobRefused: no attempt of this worker can read such a job. */
export function readShardJob(data: unknown): ShardJob {
  const parsed = ShardJob.safeParse(data);
  if (parsed.success) return parsed.data;
  const version = versionOf(data);
  if (version !== undefined && version !== JOB_VERSION) {
    const older = version > JOB_VERSION ? 'worker' : 'producer';
    throw new JobRefused(`job schema version ${version}, this worker knows ${JOB_VERSION}: upgrade the ${older}`);
  }
  throw new JobRefused(`Expected a shard job but received ${JSON.stringify(data)}: ${z.prettifyError(parsed.error)}`, {
    cause: parsed.error,
  });
}

/** Why a job was given back, kept as its progress. */
export const ReleaseNote = z.object({ released: z.string() });
export type ReleaseNote = z.output<typeof ReleaseNote>;

function versionOf(data: unknown): number | undefined {
  if (typeof data !== 'object' || data === null || !('version' in data)) return undefined;
  return typeof data.version === 'number' ? data.version : undefined;
}
