// layertap extract: features of a source of images into a directory, in this process tree, without a server.
import { extractOptions, outputOptions, prepareOptions, workerOptions } from '../../../shared/src/extract-options.ts';
import { failedBoundOptions, requireFeatures } from '../../../shared/src/failed-bound.ts';
import { defineCommand } from '../command.ts';
import { runEmbedded } from '../embedded.ts';
import { planFromCommand } from '../plan-command.ts';
import { formatReport } from '../report.ts';

export const extract = defineCommand({
  name: 'extract',
  summary: 'Extract layers for a source of images, on this machine, without a server',
  positionals: 'SOURCE',
  options: { ...extractOptions, ...failedBoundOptions, ...workerOptions, ...prepareOptions, ...outputOptions },
  async run({ options, positionals, lifecycle }): Promise<number> {
    const { run, storage } = await planFromCommand({
      command: 'extract',
      options,
      positionals,
      signal: lifecycle.stopping,
    });
    const summary = await runEmbedded({ ...options, run, storage, lifecycle });
    process.stdout.write(`${formatReport({ run, summary, out: storage.root, json: options.json })}\n`);
    requireFeatures(summary, storage.root);
    return 0;
  },
});
