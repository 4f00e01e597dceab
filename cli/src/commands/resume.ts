// layertap resume: goes on with a run where its receipts end, embedded or through Redis.
import { z } from 'zod';
import { produce } from '../../../services/producer/src/produce.ts';
import { outputOptions, prepareOptions, queueOptions, workerOptions } from '../../../shared/src/extract-options.ts';
import type { RunSummary } from '../../../shared/src/finish-run.ts';
import { createLogger } from '../../../shared/src/logger.ts';
import { openBullmqQueue } from '../../../shared/src/queues/bullmq.ts';
import type { RunRecord } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { type CommandInput, defineCommand } from '../command.ts';
import { runEmbedded } from '../embedded.ts';
import { repairBeforeWork } from '../repair-before-work.ts';
import { formatReport } from '../report.ts';
import { checkModels, prepareEngines, restoreCompiled } from '../run-models.ts';
import { openStandingRun } from '../standing-run.ts';
import { stoppedWaiting } from '../stopped-waiting.ts';

const options = {
  redis: z
    .string()
    .optional()
    .meta({ description: 'Queue the missing shards in this Redis instead of working here', value: 'URL' }),
  queue: queueOptions.queue,
  verify: z
    .boolean()
    .default(false)
    .meta({ description: 'Read every part whole; without it, damage is found by missing files and their sizes' }),
  deep: z.boolean().default(false).meta({ description: 'Read every part whole, and look at every value' }),
  wait: z.boolean().default(false).meta({ description: 'With --redis: stay until the run is done' }),
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
    const { storage, run } = await openStandingRun('resume', input.positionals);
    await restoreCompiled(storage, run, await checkModels(run), input.options);
    if (input.options.redis === undefined) await prepareEngines(run, input.options);
    await repairBeforeWork(storage, run, input.options);
    const summary =
      input.options.redis === undefined
        ? await runEmbedded({ ...input.options, run, storage, lifecycle: input.lifecycle })
        : await requeue(input.options.redis, input, run, storage);
    if (summary !== undefined) {
      process.stdout.write(`${formatReport({ run, summary, out: storage.root, json: input.options.json })}\n`);
    } else if (input.options.wait) {
      throw stoppedWaiting(storage.root);
    }
    return 0;
  },
});

async function requeue(
  url: string,
  input: CommandInput<typeof options>,
  run: RunRecord,
  storage: Storage,
): Promise<RunSummary | undefined> {
  const { lifecycle } = input;
  const logger = createLogger({ json: input.options.json });
  const queue = await openBullmqQueue({ url, name: input.options.queue, logger });
  lifecycle.defer(() => queue.close());
  return produce({ queue, run, storage, wait: input.options.wait, signal: lifecycle.stopping, logger });
}
