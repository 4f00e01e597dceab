// Works on a shard that is alone with its process, and finds the images that kill it: for slot.ts.
// A death says no more than that an image in work may be its cause. The rows are halved until one is alone; it is put into
// quarantine where it kills again and again, each time a process that had just shown itself to be sound. A death that does
// not come again (somebody's kill, a machine short of memory) is that of a plain attempt.
import { describeError } from '../../../shared/src/errors.ts';
import type { ShardJob } from '../../../shared/src/job.ts';
import type { Logger } from '../../../shared/src/logger.ts';
import { readsImages } from '../../../shared/src/request.ts';
import { openRun, type RunRecord, shardRange } from '../../../shared/src/run.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { type EngineClient, EngineDeath, EngineFailure, type ProcessOptions } from './engine-client.ts';
import { readQuarantine } from './quarantine.ts';
import { BATCHES_IN_WORK } from './read.ts';

/** So often a row must kill a process that is alone with it. */
const DEATHS_ALONE = 2;
/** After so many culprits in a row, with no image that any process lived through, it is the machine and not the images. */
const GIVE_UP_CULPRITS = 8;

export interface IsolateOptions extends ProcessOptions {
  readonly logger: Logger;
}

/** As `client.process`; each image found counts as another attempt in what is told, not in the queue. */
export async function processIsolating(client: EngineClient, job: ShardJob, options: IsolateOptions): Promise<unknown> {
  const { logger } = options;
  const search: Search = { client, job, options, survivors: 0, death: '' };
  let inVain = 0;
  for (let attempt = options.attempt; ; attempt++) {
    let rowsDone = 0;
    try {
      return await client.process(job, {
        ...options,
        attempt,
        onProgress: progress => {
          rowsDone += progress.rows;
          options.onProgress?.(progress);
        },
      });
    } catch (error) {
      if (!isDeath(error)) throw error;
      search.survivors = 0;
      const row = await findCulprit(search, rowsDone).catch(cause => {
        logger.log('info', `the search for an image that kills the process ended: ${describeError(cause)}`);
        throw error;
      });
      inVain = search.survivors > 0 ? 0 : inVain + 1;
      if (row === undefined || inVain > GIVE_UP_CULPRITS) {
        const why = row === undefined ? 'no single image kills the process again' : 'no process lives through any image';
        logger.log('info', `shard ${job.shard} is left to its next attempt: ${why}`);
        throw error;
      }
      await client.quarantine(job, { row, death: search.death });
    }
  }
}

interface Search {
  readonly client: EngineClient;
  readonly job: ShardJob;
  readonly options: IsolateOptions;
  /** Probes that ended well. */
  survivors: number;
  /** How the process ended the last time. */
  death: string;
}

/** Undefined where no single image kills the process again. */
async function findCulprit(search: Search, rowsDone: number): Promise<number | undefined> {
  const { job, options } = search;
  const storage = openFileStorage(job.out);
  const run = await openRun(storage);
  if (!readsImages(run.request)) return undefined;
  const known = await readQuarantine(storage, run, job.shard);
  const rows = Array.from({ length: shardRange(run, job.shard).rows }, (_, row) => row).filter(row => !known.has(row));
  options.logger.log('info', `shard ${job.shard} killed its process alone: looking for the image among ${rows.length}`);
  let suspects = await startOf(search, rows, rowsInWork(run, rowsDone));
  while (suspects.length > 1) {
    const half = suspects.slice(0, Math.ceil(suspects.length / 2));
    suspects = (await survives(search, half)) ? suspects.slice(half.length) : half;
  }
  for (let death = 0; death < DEATHS_ALONE; death++) if (await survives(search, suspects)) return undefined;
  return suspects[0];
}

/** The rows that were in work at the death where these are deadly; otherwise all of them: a death may come late. */
async function startOf(
  search: Search,
  rows: readonly number[],
  [begin, end]: readonly [number, number],
): Promise<readonly number[]> {
  const inWork = rows.filter(row => row >= begin && row < end);
  if (inWork.length === 0 || inWork.length === rows.length) return rows;
  return (await survives(search, inWork)) ? rows : inWork;
}

function rowsInWork(run: RunRecord, rowsDone: number): readonly [begin: number, end: number] {
  return [rowsDone, rowsDone + BATCHES_IN_WORK * run.request.batch];
}

async function survives(search: Search, rows: readonly number[]): Promise<boolean> {
  const { client, job, options } = search;
  const { attempt, signal } = options;
  // Starts the process where the last one died. If this kills it, no image does: that ends the search.
  await client.probe(job, [], { attempt, signal });
  try {
    await client.probe(job, rows, { attempt, signal });
    if (rows.length > 0) search.survivors++;
    return true;
  } catch (error) {
    if (!isDeath(error)) throw error;
    search.death = error instanceof EngineDeath ? error.how : `lost a thread (${error.message})`;
    return false;
  }
}

/** A thread that died in a process that lives is as good as a death. */
function isDeath(error: unknown): error is EngineDeath | EngineFailure {
  return error instanceof EngineDeath || (error instanceof EngineFailure && error.kind === 'crashed');
}
