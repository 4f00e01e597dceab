// layertap status: how far a run is, from its receipts alone (and from the queue where --redis is given).
import { resolve } from 'node:path';
import { z } from 'zod';
import { lostJobs } from '../../../services/producer/src/enqueue.ts';
import { fitAdvice } from '../../../shared/src/advice.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import { outputOptions, type QueueOptions, redisOptions } from '../../../shared/src/extract-options.ts';
import { summarizeRun } from '../../../shared/src/finish-run.ts';
import type { Lifecycle } from '../../../shared/src/lifecycle.ts';
import type { FailedJob, JobCounts, ReleasedJob } from '../../../shared/src/queue.ts';
import { queueSettings } from '../../../shared/src/queues/queue-settings.ts';
import { redactUrl } from '../../../shared/src/queues/redis-address.ts';
import { engineWarnings } from '../../../shared/src/request.ts';
import { openRun, type RunRecord } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { defineCommand } from '../command.ts';
import { onlyPositional } from '../positional.ts';
import { formatReport } from '../report.ts';

/** From the first connection to the last answer. */
const ANSWER_MS = 15_000;

export const status = defineCommand({
  name: 'status',
  summary: 'Show how far a run is',
  positionals: 'OUT',
  options: {
    redis: z.string().optional().meta({
      description: 'Also ask this Redis what waits, what failed and what it lost',
      value: 'URL',
      env: 'REDIS_URL',
    }),
    ...redisOptions,
    ...outputOptions,
  },
  async run({ options, positionals, lifecycle }): Promise<number> {
    const storage = openFileStorage(resolve(onlyPositional('status', 'OUT', positionals)));
    const run = await openRun(storage);
    const summary = await summarizeRun(storage, run);
    const state = summary.shards === run.shards ? 'done' : 'unfinished';
    const queued =
      options.redis === undefined
        ? undefined
        : await queueState({ ...options, redis: options.redis }, run, storage, lifecycle);
    if (options.json) {
      process.stdout.write(
        `${JSON.stringify({ out: storage.root, state, runId: run.runId, total: run.manifest.rows, shardsTotal: run.shards, ...summary, engineWarnings: engineWarnings(run.request), queue: queued })}\n`,
      );
      return 0;
    }
    const lines = [
      `${state}: ${summary.rows} of ${run.manifest.rows} images, ${summary.shards} of ${run.shards} shards`,
    ];
    if (queued !== undefined && 'unreachable' in queued) lines.push(`queue: ${queued.unreachable}`);
    else if (queued !== undefined) {
      lines.push(
        `queue: ${queued.waiting} waiting, ${queued.active} active, ${queued.delayed} delayed, ${queued.failed} failed`,
      );
      for (const { shard, reason } of queued.failures) lines.push(`  shard ${shard} failed: ${reason}`);
      for (const { shard, reason } of queued.declined) lines.push(`  shard ${shard} was declined: ${reason}`);
      if (queued.lost > 0) lines.push(`  ${queued.lost} shards of this run are not in it`);
    }
    for (const warning of engineWarnings(run.request)) lines.push(`warning: ${warning}`);
    if (state === 'unfinished') lines.push(goOn(storage.root, options.redis, queued));
    process.stdout.write(
      `${fitAdvice(lines.join('\n'))}\n${formatReport({ run, summary, out: storage.root, json: false })}\n`,
    );
    return 0;
  },
});

type QueueState =
  | { readonly unreachable: string }
  | (JobCounts & {
      readonly failures: readonly FailedJob[];
      readonly declined: readonly ReleasedJob[];
      /** Shards without a receipt that the queue does not hold. */
      readonly lost: number;
    });

async function queueState(
  options: QueueOptions,
  run: RunRecord,
  storage: Storage,
  lifecycle: Lifecycle,
): Promise<QueueState> {
  const signal = AbortSignal.any([lifecycle.stopping, AbortSignal.timeout(ANSWER_MS)]);
  try {
    // Only here: most uses of this command have no queue, and BullMQ is three hundred modules.
    const { openBullmqQueue } = await import('../../../shared/src/queues/bullmq.ts');
    const queue = await openBullmqQueue({ ...queueSettings(options), access: 'read', signal });
    lifecycle.defer(() => queue.close());
    return {
      ...(await queue.counts()),
      failures: await queue.failed(run.runId, 5),
      declined: await queue.released(run.runId, 5),
      lost: (await lostJobs(queue, run, storage)).length,
    };
  } catch (error) {
    lifecycle.stopping.throwIfAborted();
    // The receipts tell how far the run is, with or without a queue.
    if (signal.aborted) return { unreachable: `Redis at ${redactUrl(options.redis)} does not answer` };
    if (error instanceof Refusal && /^queue-/.test(error.code)) return { unreachable: error.message };
    throw error;
  }
}

function goOn(out: string, redis: string | undefined, queued: QueueState | undefined): string {
  const resume = `npx layertap resume ${out}`;
  if (redis === undefined || queued === undefined || 'unreachable' in queued || queued.lost === 0)
    return `Unless workers are on it, go on with: ${resume}`;
  return `The queue has lost shards, or never had them: go on with: ${resume} --redis ${redactUrl(redis)}`;
}
