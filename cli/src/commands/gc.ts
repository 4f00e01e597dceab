// layertap gc: removes what belongs to nothing in a run directory, and the jobs of a run that is done from its queue.
import { resolve } from 'node:path';
import { z } from 'zod';
import { formatBytes } from '../../../shared/src/byte-size.ts';
import { outputOptions, redisOptions } from '../../../shared/src/extract-options.ts';
import { findGarbage, type Garbage, leftWorkspaces, removeOne } from '../../../shared/src/garbage.ts';
import { queueSettings } from '../../../shared/src/queues/queue-settings.ts';
import { missingShards, openRun, type RunRecord } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { type CommandInput, defineCommand } from '../command.ts';
import { onlyPositional } from '../positional.ts';

const SHOWN = 20;

const options = {
  dryRun: z.boolean().default(false).meta({ description: 'Only list what would go' }),
  idle: z.boolean().default(false).meta({
    description: 'Nobody works on this run: also what its unfinished shards left behind',
  }),
  redis: z
    .string()
    .optional()
    .meta({ description: 'Also remove the jobs of this run from this Redis, where the run is done', value: 'URL' }),
  ...redisOptions,
  ...outputOptions,
} as const;

export const gc = defineCommand({
  name: 'gc',
  summary: 'Remove unfinished files, parts that no receipt names and old jobs of a run',
  positionals: 'OUT',
  options,
  async run(input): Promise<number> {
    const { options } = input;
    const storage = openFileStorage(resolve(onlyPositional('gc', 'OUT', input.positionals)));
    const run = await openRun(storage);
    const found = await findGarbage(storage, run);
    const going = found.filter(({ pending }) => options.idle || !pending);
    const gone = await removeAll(storage, run, going, options.dryRun);
    const kept = found.length - going.length;
    const jobs = options.redis === undefined ? undefined : await forgetJobs(options.redis, input, storage, run);
    if (options.json) {
      process.stdout.write(
        `${JSON.stringify({ out: storage.root, dryRun: options.dryRun, removed: gone, kept, jobs })}\n`,
      );
      return 0;
    }
    const bytes = gone.reduce((sum, entry) => sum + entry.bytes, 0);
    const verb = options.dryRun ? 'would go' : 'removed';
    const lines = gone.slice(0, SHOWN).map(({ kind, path }) => `  ${kind.padEnd(9)}  ${path}`);
    if (gone.length > SHOWN) lines.push(`  … and ${gone.length - SHOWN} more (--json lists all)`);
    lines.unshift(`${verb}: ${gone.length} ${gone.length === 1 ? 'file' : 'files'}, ${formatBytes(bytes)}`);
    if (kept > 0) lines.push(`${kept} left, since a worker may still need them: --idle where none is at work`);
    if (jobs !== undefined)
      lines.push(`queue: ${jobs === null ? 'left as it is, the run is not done' : `${jobs} jobs`}`);
    process.stdout.write(`${lines.join('\n')}\n`);
    return 0;
  },
});

interface Gone {
  readonly kind: Garbage['kind'];
  readonly path: string;
  readonly bytes: number;
}

async function removeAll(
  storage: Storage,
  run: RunRecord,
  garbage: readonly Garbage[],
  dryRun: boolean,
): Promise<readonly Gone[]> {
  const gone: Gone[] = [];
  for (const entry of garbage) {
    const bytes = (await storage.size(entry.path)) ?? 0;
    if (dryRun || (await removeOne(storage, run, entry))) gone.push({ kind: entry.kind, path: entry.path, bytes });
  }
  if (!dryRun) for (const folder of await leftWorkspaces(storage, run)) await storage.removeFolder(folder);
  return gone;
}

/** How many jobs the queue held, or null for a run that is not done: its jobs are work. */
async function forgetJobs(
  redis: string,
  { options: { dryRun, ...settings }, lifecycle }: CommandInput<typeof options>,
  storage: Storage,
  run: RunRecord,
): Promise<number | null> {
  if ((await missingShards(storage, run)).length > 0) return null;
  // Only here: most uses of this command have no queue, and BullMQ is three hundred modules.
  const { openBullmqQueue } = await import('../../../shared/src/queues/bullmq.ts');
  const queue = await openBullmqQueue({ ...queueSettings({ ...settings, redis }), signal: lifecycle.stopping });
  lifecycle.defer(() => queue.close());
  const jobs = await queue.held(run.runId);
  if (!dryRun) await queue.forget(run.runId);
  return jobs;
}
