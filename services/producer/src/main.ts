// The producer as a service (`npm run producer`, the containers): configured by the environment, logs JSON lines.
import { takeCacheNote } from '../../../setup/src/made-cache.ts';
import { requireFeatures, requireWaiting } from '../../../shared/src/failed-bound.ts';
import { createLifecycle } from '../../../shared/src/lifecycle.ts';
import { openBullmqQueue } from '../../../shared/src/queues/bullmq.ts';
import { queueSettings } from '../../../shared/src/queues/queue-settings.ts';
import { readProducerConfig } from './config.ts';
import { planRun } from './plan.ts';
import { produce } from './produce.ts';

const lifecycle = createLifecycle();
await lifecycle.run(async () => {
  const config = readProducerConfig();
  const { logger } = config;
  requireWaiting(config.maxFailed, config.wait);
  const queue = await openBullmqQueue({
    ...queueSettings(config),
    logger,
    connectWithRetry: { signal: lifecycle.stopping },
    signal: lifecycle.stopping,
  });
  lifecycle.defer(() => queue.close());
  const { run, storage, notes } = await planRun({ ...config, signal: lifecycle.stopping });
  for (const note of notes) logger.log('info', note);
  const cacheNote = takeCacheNote();
  if (cacheNote !== undefined) logger.log('warn', cacheNote);
  const summary = await produce({
    queue,
    run,
    storage,
    wait: config.wait,
    maxFailed: config.maxFailed,
    signal: lifecycle.stopping,
    logger,
  });
  if (summary !== undefined) {
    logger.log('info', `run ${run.runId} is done: ${summary.ok} ok, ${summary.failed} failed`, { out: storage.root });
    requireFeatures(summary, storage.root);
  }
  return 0;
});
