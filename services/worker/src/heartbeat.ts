// Touches a file each time that the queue has answered, so that a health check has nothing to do but look at the file's age: a check
// that starts Node takes more than a percent of a processor. For run-worker.ts.
import { utimes, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeError, hasErrorCode } from '../../../shared/src/errors.ts';
import type { Logger } from '../../../shared/src/logger.ts';
import type { JobQueue } from '../../../shared/src/queue.ts';

export interface HeartbeatOptions {
  readonly queue: Pick<JobQueue, 'counts'>;
  readonly file: string;
  readonly logger: Logger;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** @default 5000 */
  readonly intervalMs?: number;
}

/** Covers process, event loop, network and queue: a Redis that does not answer leaves the file as old as its last answer. */
export async function beat({ queue, file, logger, signal, intervalMs = 5000 }: HeartbeatOptions): Promise<void> {
  let told = '';
  while (!signal.aborted) {
    try {
      await queue.counts();
      await touch(file);
    } catch (error) {
      const reason = describeError(error);
      if (reason !== told) logger.log('warn', `no heartbeat in ${file}: ${reason}`);
      told = reason;
    }
    await sleep(intervalMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

async function touch(file: string): Promise<void> {
  const now = new Date();
  try {
    await utimes(file, now, now);
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT')) throw error;
    await writeFile(file, '');
  }
}
