// What every command does before it goes on with a run: damaged shards are found, told of, and count as not done.
import type { ModelFile } from '../../extractor/src/model.ts';
import { restoreCompiled } from '../../services/producer/src/publish-compiled.ts';
import { settleSharedFiles } from '../../services/worker/src/compact-run.ts';
import { createLogger } from '../../shared/src/logger.ts';
import { repairRun } from '../../shared/src/repair-run.ts';
import type { RunRecord } from '../../shared/src/run.ts';
import type { Storage } from '../../shared/src/storage.ts';

const DAMAGES_SHOWN = 20;

export interface RepairOptions {
  readonly verify: boolean;
  readonly deep: boolean;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** Damaged shards count as not done from here on; compiled models stand where workers look for them. @param models those of the run */
export async function repairBeforeWork(
  storage: Storage,
  run: RunRecord,
  models: readonly ModelFile[],
  asked: RepairOptions,
): Promise<void> {
  const logger = createLogger({ json: asked.json });
  const depth = asked.deep ? 'values' : asked.verify ? 'bytes' : 'sizes';
  const damages = await repairRun(storage, run, depth);
  for (const { message, ...fields } of damages.slice(0, DAMAGES_SHOWN))
    logger.log('warn', message, asked.json ? { ...fields } : {});
  const shards = new Set(damages.map(({ shard }) => shard)).size;
  // What was damaged, or a compaction that was killed, may leave rows in a file that others share.
  await settleSharedFiles(storage, run);
  const unrestored = await restoreCompiled(storage, run.request, models, asked.signal);
  if (unrestored !== undefined) logger.log('warn', unrestored);
  if (shards > 0) logger.log('warn', `${shards} damaged ${shards === 1 ? 'shard is' : 'shards are'} done again`);
}
