// layertap work: a worker. Takes shards from Redis until it is stopped.
import { runWorker } from '../../../services/worker/src/run-worker.ts';
import { heartbeatOptions, outputOptions, queueOptions, workerOptions } from '../../../shared/src/extract-options.ts';
import { createLogger } from '../../../shared/src/logger.ts';
import { defineCommand } from '../command.ts';
import { environment } from '../config.ts';

export const work = defineCommand({
  name: 'work',
  summary: 'Work on the shards that wait in Redis, until stopped',
  positionals: '',
  options: { ...queueOptions, ...workerOptions, ...heartbeatOptions, ...outputOptions },
  async run({ options, lifecycle }): Promise<number> {
    await runWorker({ ...options, lifecycle, logger: createLogger({ json: options.json }), env: environment });
    return 0;
  },
});
