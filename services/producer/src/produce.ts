// The producer's second half: queue what is missing and, where asked for, stay until the run is done.
import { setTimeout as delay } from 'node:timers/promises';
import { Refusal } from '../../../shared/src/errors.ts';
import { createFailureTally, type FailedBound } from '../../../shared/src/failed-bound.ts';
import { finishRun, halfMoved, type RunSummary } from '../../../shared/src/finish-run.ts';
import type { Logger } from '../../../shared/src/logger.ts';
import type { JobQueue } from '../../../shared/src/queue.ts';
import { engineWarnings } from '../../../shared/src/request.ts';
import { doneShards, openRun, type RunRecord, readReceipt } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { enqueueRun, lostJobs } from './enqueue.ts';

export interface ProduceOptions {
  readonly queue: JobQueue;
  readonly run: RunRecord;
  readonly storage: Storage;
  readonly wait: boolean;
  /** Where a run that is waited for stops because too many images failed. @default nowhere */
  readonly maxFailed?: FailedBound | undefined;
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

const WAIT_POLL_MS = 1_000;
const FAILED_SHOWN = 5;

/** Returns the summary when the run is done, undefined when it goes on without this process. */
export async function produce(options: ProduceOptions): Promise<RunSummary | undefined> {
  const { queue, run, storage, logger, signal } = options;
  const queued = await enqueueRun(queue, run, storage, { signal });
  for (const warning of engineWarnings(run.request)) logger.log('warn', warning);
  logger.log('info', `${queued} of ${run.shards} shards queued`, { run: run.runId, out: storage.root });
  if (queued === 0) {
    const summary = await finishRun(storage, run);
    if (summary === undefined) throw halfMoved(storage, run);
    return summary;
  }
  return options.wait ? waitForRun(options) : undefined;
}

async function waitForRun(options: ProduceOptions): Promise<RunSummary | undefined> {
  try {
    return await untilDone(options);
  } catch (error) {
    // Stopped while it waited for Redis: the caller says what that means for the run.
    if (options.signal.aborted) return undefined;
    throw error;
  }
}

async function untilDone(options: ProduceOptions): Promise<RunSummary | undefined> {
  const { run, storage, signal, logger } = options;
  let before = -1;
  let told = '';
  const failures = watchFailures(options);
  while (!signal.aborted) {
    const began = performance.now();
    const shards = await doneShards(storage, run);
    const done = shards.length;
    // Counting the receipts of a million shards takes seconds: most of the time goes into waiting all the same. What the
    // queue takes is no measure: Redis may have been away for an hour.
    const pause = Math.max(WAIT_POLL_MS, 20 * (performance.now() - began));
    if (done === run.shards) {
      const summary = await finishRun(storage, run);
      await failures.check(shards);
      if (summary !== undefined) return summary;
      // A compaction at work ends by itself.
      const { message, hint } = halfMoved(storage, run);
      if (told !== message) logger.log('warn', `${message}. ${hint}`);
      told = message;
    } else if (done !== before) {
      await failures.check(shards);
    } else {
      // Whoever removed the output meant to end the run.
      await openRun(storage);
      await checkQueue(options, run.shards - done);
      const declined = await declinedShards(options);
      if (declined !== told && declined !== '') logger.log('warn', declined);
      told = declined;
    }
    if (done !== before) logger.log('info', `${done}/${run.shards} shards done`);
    before = done;
    await delay(pause, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

/** Reads each receipt once, where there is a bound; the shards that wait are taken from the queue when it is passed. */
function watchFailures({ queue, run, storage, maxFailed }: ProduceOptions): {
  check(done: readonly number[]): Promise<void>;
} {
  const tally = createFailureTally(maxFailed, run.manifest.rows, storage.root);
  const seen = new Set<number>();
  return {
    async check(done): Promise<void> {
      if (maxFailed === undefined) return;
      for (const shard of done) {
        if (seen.has(shard)) continue;
        const receipt = await readReceipt(storage, run, shard);
        if (receipt === undefined) continue;
        seen.add(shard);
        tally.add(receipt.failures);
      }
      const tooMany = tally.refusal();
      if (tooMany === undefined) return;
      await queue.forget(run.runId);
      throw tooMany;
    },
  };
}

/** Nothing moved for a while: queues anew what the queue has lost, and refuses when all that is left has failed. */
async function checkQueue({ queue, run, storage, logger }: ProduceOptions, left: number): Promise<void> {
  const lost = await lostJobs(queue, run, storage);
  if (lost.length > 0) {
    // They had their place already, so nobody waits for room.
    await queue.add(lost);
    logger.log('warn', `the queue had lost ${lost.length} of the ${left} shards left: queued them again`);
    return;
  }
  const failed = await queue.failed(run.runId, left);
  if (failed.length === left) throw failedShards(storage, failed.slice(0, FAILED_SHOWN));
}

/** Why workers give shards back, so that whoever waits does not wait in the dark; empty where they take them. */
async function declinedShards({ queue, run }: ProduceOptions): Promise<string> {
  const [first] = await queue.released(run.runId, 1);
  return first === undefined ? '' : `workers decline shards, such as shard ${first.shard}: ${first.reason}`;
}

function failedShards(storage: Storage, failed: Awaited<ReturnType<JobQueue['failed']>>): Refusal {
  const reasons = failed.map(({ shard, reason, attempts }) => `shard ${shard} after ${attempts} attempts: ${reason}`);
  return new Refusal('run-incomplete', `Some shards could not be done: ${reasons.join('; ')}`, {
    hint: `Mend the cause, then go on with: npx layertap resume ${storage.root} --redis URL`,
  });
}
