// layertap enqueue: the producer. Plans a run and queues its shards in Redis for the workers.
import { z } from 'zod';
import { produce } from '../../../services/producer/src/produce.ts';
import { extractOptions, outputOptions, prepareOptions, queueOptions } from '../../../shared/src/extract-options.ts';
import { failedBoundOptions, requireFeatures, requireWaiting } from '../../../shared/src/failed-bound.ts';
import { createLogger } from '../../../shared/src/logger.ts';
import { openBullmqQueue } from '../../../shared/src/queues/bullmq.ts';
import { queueSettings } from '../../../shared/src/queues/queue-settings.ts';
import { redactUrl } from '../../../shared/src/queues/redis-address.ts';
import { defineCommand } from '../command.ts';
import { planFromCommand } from '../plan-command.ts';
import { formatReport } from '../report.ts';
import { stoppedWaiting } from '../stopped-waiting.ts';

export const enqueue = defineCommand({
  name: 'enqueue',
  summary: 'Queue a run in Redis, for `layertap work` on any number of machines',
  positionals: 'SOURCE',
  options: {
    ...extractOptions,
    ...failedBoundOptions,
    ...queueOptions,
    wait: z.boolean().default(false).meta({ description: 'Stay until the run is done and print its summary' }),
    ...prepareOptions,
    ...outputOptions,
  },
  async run({ options, positionals, lifecycle }): Promise<number> {
    const logger = createLogger({ json: options.json });
    const { wait, maxFailed } = options;
    requireWaiting(maxFailed, wait);
    // First the queue: a run that cannot be queued should not be planned for an hour.
    const queue = await openBullmqQueue({ ...queueSettings(options), logger, signal: lifecycle.stopping });
    lifecycle.defer(() => queue.close());
    const { run, storage } = await planFromCommand({
      command: 'enqueue',
      options,
      positionals,
      signal: lifecycle.stopping,
    });
    const summary = await produce({ queue, run, storage, wait, maxFailed, signal: lifecycle.stopping, logger });
    if (summary !== undefined) {
      process.stdout.write(`${formatReport({ run, summary, out: storage.root, json: options.json })}\n`);
      requireFeatures(summary, storage.root);
    } else if (wait) {
      throw stoppedWaiting(storage.root);
    } else {
      logger.log(
        'info',
        `Start workers with: npx layertap work --redis ${redactUrl(options.redis)}    Follow it with: npx layertap status ${storage.root}`,
      );
    }
    return 0;
  },
});
