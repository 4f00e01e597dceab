// layertap resume: goes on with a run where its receipts end, embedded or through Redis.
import { z } from 'zod';
import { produce } from '../../../services/producer/src/produce.ts';
import { outputOptions, prepareOptions, redisOptions, workerOptions } from '../../../shared/src/extract-options.ts';
import { failedBoundOptions, requireFeatures, requireWaiting } from '../../../shared/src/failed-bound.ts';
import { createLogger, type Logger } from '../../../shared/src/logger.ts';
import type { JobQueue } from '../../../shared/src/queue.ts';
import { queueSettings } from '../../../shared/src/queues/queue-settings.ts';
import { type CommandInput, defineCommand } from '../command.ts';
import { runEmbedded } from '../embedded.ts';
import { repairBeforeWork } from '../repair-before-work.ts';
import { formatReport } from '../report.ts';
import { checkModels, prepareEngines } from '../run-models.ts';
import { openStandingRun } from '../standing-run.ts';
import { stoppedWaiting } from '../stopped-waiting.ts';

const options = {
  redis: z
    .string()
    .optional()
    .meta({ description: 'Queue the missing shards in this Redis instead of working here', value: 'URL' }),
  ...redisOptions,
  verify: z
    .boolean()
    .default(false)
    .meta({ description: 'Read every part whole; without it, damage is found by missing files and their sizes' }),
  deep: z.boolean().default(false).meta({ description: 'Read every part whole, and look at every value' }),
  wait: z.boolean().default(false).meta({ description: 'With --redis: stay until the run is done' }),
  ...failedBoundOptions,
  ...workerOptions,
  ...prepareOptions,
  ...outputOptions,
} as const;

export const resume = defineCommand({
  name: 'resume',
  summary: 'Go on with an unfinished run, and do damaged shards again; what is whole stays as it is',
  positionals: 'OUT',
  options,
  async run(input): Promise<number> {
    const { wait, json, maxFailed } = input.options;
    const { stopping: signal } = input.lifecycle;
    if (input.options.redis !== undefined) requireWaiting(maxFailed, wait);
    const { storage, run } = await openStandingRun('resume', input.positionals);
    // First the queue: what cannot be queued should not be read whole for an hour.
    const queue = await queueOf(input);
    const models = await checkModels(run);
    if (queue === undefined) await prepareEngines(run, input.options);
    await repairBeforeWork(storage, run, models, { ...input.options, signal });
    const summary =
      queue === undefined
        ? await runEmbedded({ ...input.options, run, storage, lifecycle: input.lifecycle })
        : await produce({ queue, run, storage, wait, maxFailed, signal, logger: loggerOf(input) });
    if (summary !== undefined) {
      process.stdout.write(`${formatReport({ run, summary, out: storage.root, json })}\n`);
      requireFeatures(summary, storage.root);
    } else if (wait) {
      throw stoppedWaiting(storage.root);
    }
    return 0;
  },
});

/** Undefined where the run goes on in this process. */
async function queueOf(input: CommandInput<typeof options>): Promise<JobQueue | undefined> {
  const { redis, ...settings } = input.options;
  const { lifecycle } = input;
  if (redis === undefined) return undefined;
  // Only here: most uses of this command have no queue, and BullMQ is three hundred modules.
  const { openBullmqQueue } = await import('../../../shared/src/queues/bullmq.ts');
  const queue = await openBullmqQueue({
    ...queueSettings({ ...settings, redis }),
    logger: loggerOf(input),
    signal: lifecycle.stopping,
  });
  lifecycle.defer(() => queue.close());
  return queue;
}

function loggerOf(input: CommandInput<typeof options>): Logger {
  return createLogger({ json: input.options.json });
}
