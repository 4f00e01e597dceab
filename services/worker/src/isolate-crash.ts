// Works on a shard that is alone with its process, and finds the images that kill it: for slot.ts.
// A death says no more than that an image in work may be its cause. The rows are halved until one is alone; it is put into
// quarantine where it kills again and again, each time a process that had just shown itself to be sound. A death that does
// not come again (somebody's kill, a machine short of memory) is that of a plain attempt.
import { describeError } from '../../../shared/src/errors.ts';
import type { ShardJob } from '../../../shared/src/job.ts';
import type { Logger } from '../../../shared/src/logger.ts';
import { readsImages } from '../../../shared/src/request.ts';
import { openRun, shardRange } from '../../../shared/src/run.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import type { EngineClient, ProcessOptions } from './engine-client.ts';
import { EngineDeath, EngineFailure } from './engine-errors.ts';
import { readQuarantine } from './quarantine.ts';
import { BATCHES_IN_WORK } from './read.ts';

/** So often a row must kill a process that is alone with it. */
const DEATHS_ALONE = 2;
/** Images that are tried before the machine is blamed for what seems to kill with any. */
const WITNESSES = 8;

export interface IsolateOptions extends ProcessOptions {
  readonly logger: Logger;
  /** Images found one after the other, without one that a process lived through, before the machine is suspected. @default 4 */
  readonly mostInVain?: number;
}

/** As `client.process`; each image found counts as another attempt in what is told, not in the queue. */
export async function processIsolating(client: EngineClient, job: ShardJob, options: IsolateOptions): Promise<unknown> {
  const { logger, mostInVain = 4 } = options;
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
      try {
        const search = await openSearch(client, job, options);
        const row = await findCulprit(search, rowsDone);
        inVain = search.survivors > 0 ? 0 : inVain + 1;
        if (inVain >= mostInVain) await expectSurvivor(search, row);
        await client.quarantine(job, { row, death: search.death });
      } catch (reason) {
        logger.log('info', `shard ${job.shard} is left to its next attempt: ${describeError(reason)}`);
        throw error;
      }
    }
  }
}

interface Search {
  readonly client: EngineClient;
  readonly job: ShardJob;
  readonly options: IsolateOptions;
  readonly batch: number;
  /** Positions of all rows that are not in quarantine. */
  readonly rows: readonly number[];
  /** Probes that ended well. */
  survivors: number;
  /** How the process ended the last time. */
  death: string;
}

async function openSearch(client: EngineClient, job: ShardJob, options: IsolateOptions): Promise<Search> {
  const storage = openFileStorage(job.out);
  const run = await openRun(storage);
  if (!readsImages(run.request)) throw new Error('its engine looks at no image');
  const known = await readQuarantine(storage, run, job.shard);
  const all = Array.from({ length: shardRange(run, job.shard).rows }, (_, row) => row);
  const rows = all.filter(row => !known.has(row));
  options.logger.log('info', `shard ${job.shard} ended its process alone: looking for the image among ${rows.length}`);
  return { client, job, options, batch: run.request.batch, rows, survivors: 0, death: '' };
}

/** Throws where no single image kills the process again. */
async function findCulprit(search: Search, rowsDone: number): Promise<number> {
  let suspects = await firstSuspects(search, rowsDone);
  while (suspects.length > 1) {
    const half = suspects.slice(0, Math.ceil(suspects.length / 2));
    suspects = (await survives(search, half)) ? suspects.slice(half.length) : half;
  }
  for (let deaths = 0; deaths < DEATHS_ALONE; deaths++) {
    if (await survives(search, suspects)) throw new Error('no image ends the process again when it is alone');
  }
  return suspects[0] as number;
}

/** The rows that were in work at the death where these are deadly; otherwise all of them: a death may come late. */
async function firstSuspects(search: Search, rowsDone: number): Promise<readonly number[]> {
  const { rows, batch } = search;
  const inWork = rows.filter(row => row >= rowsDone && row < rowsDone + BATCHES_IN_WORK * batch);
  if (inWork.length === 0 || inWork.length === rows.length) return rows;
  return (await survives(search, inWork)) ? rows : inWork;
}

/** A machine on which every image kills says nothing of the images. */
async function expectSurvivor(search: Search, culprit: number): Promise<void> {
  const others = search.rows.filter(row => row !== culprit);
  const step = Math.ceil(others.length / WITNESSES);
  const witnesses = others.filter((_, index) => index % step === 0);
  for (const row of witnesses) if (await survives(search, [row])) return;
  if (witnesses.length > 0) throw new Error('any image ends the process: it is rather the machine than the images');
}

async function survives(search: Search, rows: readonly number[]): Promise<boolean> {
  const { client, job, options } = search;
  const { attempt, signal } = options;
  // Starts the process where the last one died. What ends it now is no image.
  await client.probe(job, [], { attempt, signal });
  if (rows.length === 0) return true;
  try {
    await client.probe(job, rows, { attempt, signal });
    search.survivors++;
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
