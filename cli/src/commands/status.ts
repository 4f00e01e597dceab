// layertap status: how far a run is, from its receipts alone (and from the queue where --redis is given).
import { resolve } from 'node:path';
import { z } from 'zod';
import { fitAdvice } from '../../../shared/src/advice.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import { outputOptions, queueOptions } from '../../../shared/src/extract-options.ts';
import { summarizeRun } from '../../../shared/src/finish-run.ts';
import { openBullmqQueue } from '../../../shared/src/queues/bullmq.ts';
import { engineWarnings } from '../../../shared/src/request.ts';
import { openRun } from '../../../shared/src/run.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { defineCommand } from '../command.ts';
import { onlyPositional } from '../positional.ts';
import { formatReport } from '../report.ts';

export const status = defineCommand({
  name: 'status',
  summary: 'Show how far a run is',
  positionals: 'OUT',
  options: {
    redis: z
      .string()
      .optional()
      .meta({ description: 'Also ask this Redis what waits and what failed', value: 'URL', env: 'REDIS_URL' }),
    queue: queueOptions.queue,
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
        : await queueState(options.redis, options.queue, run.runId, lifecycle.defer);
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
    }
    for (const warning of engineWarnings(run.request)) lines.push(`warning: ${warning}`);
    if (state === 'unfinished') lines.push(`Unless workers are on it, go on with: npx layertap resume ${storage.root}`);
    process.stdout.write(
      `${fitAdvice(lines.join('\n'))}\n${formatReport({ run, summary, out: storage.root, json: false })}\n`,
    );
    return 0;
  },
});

async function queueState(url: string, name: string, runId: string, defer: (close: () => Promise<void>) => void) {
  try {
    const queue = await openBullmqQueue({ url, name });
    defer(() => queue.close());
    return {
      ...(await queue.counts()),
      failures: await queue.failed(runId, 5),
      declined: await queue.released(runId, 5),
    };
  } catch (error) {
    // The receipts tell how far the run is, with or without a queue.
    if (error instanceof Refusal && error.code === 'queue-unreachable') return { unreachable: error.message };
    throw error;
  }
}
