// The job schema: references only, versioned, with ids that the queue takes.
import { describe, expect, it } from 'vitest';
import { JOB_VERSION, jobIdOf, ShardJob } from '../../shared/src/job.ts';

const job = { version: JOB_VERSION, out: '/out', runId: 'run-1a', fingerprint: 'ab', shard: 7 };

describe('a job', () => {
  it('reads its own output back', () => {
    expect(ShardJob.parse(JSON.parse(JSON.stringify(job)))).toEqual(job);
  });

  it.each([
    ['of another version', { version: JOB_VERSION + 1 }],
    ['without an output directory', { out: '' }],
    ['with a negative shard', { shard: -1 }],
    ['with half a shard', { shard: 0.5 }],
    ['with pixels in it', { pixels: [1, 2, 3] }],
  ])('is refused %s', (_, fields) => {
    expect(ShardJob.safeParse({ ...job, ...fields }).success).toBe(false);
  });

  it('has an id without a colon that is not digits alone', () => {
    expect(jobIdOf(job)).toBe('run-1a-7');
    expect(jobIdOf(job)).not.toMatch(/:|^\d+$/);
  });

  it('has an id of its own for each shard', () => {
    expect(jobIdOf(job)).not.toBe(jobIdOf({ ...job, shard: 8 }));
  });
});
