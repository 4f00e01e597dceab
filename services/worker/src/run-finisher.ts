// Finds out when a run is complete: some worker publishes its last receipt, and whichever looks next finishes the run.
import { allowedRoots } from '../../../shared/src/allowed-roots.ts';
import { describeError } from '../../../shared/src/errors.ts';
import { finishRun } from '../../../shared/src/finish-run.ts';
import type { ShardJob } from '../../../shared/src/job.ts';
import type { Logger } from '../../../shared/src/logger.ts';
import { openRun } from '../../../shared/src/run.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { requireAllowedRun } from './allowed-run.ts';

export interface RunFinisher {
  /** A shard of that run has its receipt: the run is looked at before long, even while others wait in the queue. */
  shardDone(job: ShardJob): void;
  /** Looks at all runs of which a shard was done since they were looked at. */
  finish(): Promise<void>;
  /** Stops looking by itself. */
  close(): void;
}

/** Counting the receipts of a large run takes seconds: it is done at most this often. */
const LOOK_INTERVAL_MS = 15_000;

export function createRunFinisher(logger: Logger, allowRoots?: readonly string[]): RunFinisher {
  const allowed = allowedRoots(allowRoots);
  const touched = new Map<string, ShardJob>();
  let timer: NodeJS.Timeout | undefined;
  let finishing: Promise<void> = Promise.resolve();

  async function finishTouched(): Promise<void> {
    for (const [out, job] of [...touched]) {
      touched.delete(out);
      try {
        const storage = openFileStorage(out);
        const run = await openRun(storage);
        await requireAllowedRun(allowed, out, run);
        const summary = await finishRun(storage, run);
        if (summary === undefined) continue;
        logger.log('info', `run ${job.runId} is done: ${summary.ok} ok, ${summary.failed} failed`, { out });
      } catch (error) {
        logger.log('warn', `could not finish run ${job.runId}: ${describeError(error)}`);
      }
    }
  }

  function finish(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    finishing = finishing.then(finishTouched);
    return finishing;
  }

  return {
    shardDone(job): void {
      touched.set(job.out, job);
      timer ??= setTimeout(() => void finish(), LOOK_INTERVAL_MS).unref();
    },
    finish,
    close: () => clearTimeout(timer),
  };
}
