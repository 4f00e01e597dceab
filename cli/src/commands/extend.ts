// layertap extend: takes the images that a run's source has gained since; what is done stays as it is.
import { z } from 'zod';
import { extendRun } from '../../../services/producer/src/extend-run.ts';
import { fitAdvice } from '../../../shared/src/advice.ts';
import { outputOptions, prepareOptions, workerOptions } from '../../../shared/src/extract-options.ts';
import { createLogger } from '../../../shared/src/logger.ts';
import { defineCommand } from '../command.ts';
import { runEmbedded } from '../embedded.ts';
import { repairBeforeWork } from '../repair-before-work.ts';
import { formatReport } from '../report.ts';
import { checkModels, prepareEngines } from '../run-models.ts';
import { openStandingRun } from '../standing-run.ts';

export const extend = defineCommand({
  name: 'extend',
  summary: 'Add the images that the source of a finished run has gained; what is done stays as it is',
  positionals: 'OUT',
  options: {
    planOnly: z.boolean().default(false).meta({
      description: 'Only put them into the manifest; `layertap resume`, also with --redis, does them',
    }),
    ...workerOptions,
    ...prepareOptions,
    ...outputOptions,
  },
  async run({ options, positionals, lifecycle }): Promise<number> {
    const { storage, run: standing } = await openStandingRun('extend', positionals);
    const models = await checkModels(standing);
    const { run, added } = await extendRun(storage, standing, lifecycle.stopping);
    const logger = createLogger({ json: options.json });
    logger.log('info', `${added} new images, ${run.manifest.rows} in all`);
    if (options.planOnly) {
      const line = { out: storage.root, added, rows: run.manifest.rows };
      process.stdout.write(
        options.json ? `${JSON.stringify(line)}\n` : fitAdvice(`Do them with: npx layertap resume ${storage.root}\n`),
      );
      return 0;
    }
    await prepareEngines(run, options);
    await repairBeforeWork(storage, run, models, {
      verify: false,
      deep: false,
      json: options.json,
      signal: lifecycle.stopping,
    });
    const summary = await runEmbedded({ ...options, run, storage, lifecycle });
    process.stdout.write(`${formatReport({ run, summary, out: storage.root, json: options.json })}\n`);
    return 0;
  },
});
