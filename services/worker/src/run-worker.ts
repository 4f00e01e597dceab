// A worker from start to stop: connects (retrying for as long as it takes), consumes, finishes runs, closes in order.
import { hostname } from 'node:os';
import type { QueueOptions, WorkerOptions } from '../../../shared/src/extract-options.ts';
import type { Lifecycle } from '../../../shared/src/lifecycle.ts';
import type { Logger } from '../../../shared/src/logger.ts';
import { openBullmqQueue } from '../../../shared/src/queues/bullmq.ts';
import { queueSettings } from '../../../shared/src/queues/queue-settings.ts';
import { ShardReceipt } from '../../../shared/src/receipt.ts';
import { openWorker } from './consumer.ts';
import { type EngineProcesses, type EngineProcessesOptions, engineProcesses } from './engine-processes.ts';
import { createRunFinisher } from './run-finisher.ts';

export interface RunWorkerOptions extends WorkerOptions, QueueOptions {
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
  /** What the engine processes inherit. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * A deterministic run may come, whose workers must all have as many engine threads. So these do not depend on the memory where
 * the number of processes does, and are as many as `extract` takes for such a run.
 */
export function workerProcesses(options: EngineProcessesOptions): EngineProcesses {
  const { processes, threads } = options;
  return engineProcesses({ ...options, threads: processes === 'auto' && threads === 'auto' ? 1 : threads });
}

/** Resolves when the worker was stopped and everything is closed. */
export async function runWorker(options: RunWorkerOptions): Promise<void> {
  const { lifecycle, logger } = options;
  const queue = await openBullmqQueue({
    ...queueSettings(options),
    logger,
    connectWithRetry: { signal: lifecycle.stopping },
    signal: lifecycle.stopping,
  });
  lifecycle.defer(() => queue.close());
  const name = `${hostname()}-${process.pid}`;
  const finisher = createRunFinisher(logger, options.allowRoot);
  lifecycle.defer(() => finisher.close());
  const { split, ...processes } = workerProcesses({ ...options, name });
  const worker = await openWorker({
    queue,
    ...processes,
    logger,
    stallMs: options.stallTimeout * 1000,
    onReceipt: (job, receipt) => {
      finisher.shardDone(job);
      const { rows, failed, totalSeconds, worker } = ShardReceipt.parse(receipt);
      logger.log('info', `shard ${job.shard} done`, {
        run: job.runId,
        rows,
        failed,
        seconds: Number(totalSeconds.toFixed(2)),
        peakBytes: worker.peakBytes,
      });
    },
    onIdle: () => void finisher.finish(),
    onFailed: (job, error) => logger.log('error', `shard ${job.shard} failed: ${error.message}`, { run: job.runId }),
  });
  logger.log('info', `worker ${name} is ready`, { ...split, queue: options.queue });
  lifecycle.leaving.addEventListener('abort', () => void worker.close({ force: true }), { once: true });
  await new Promise<void>(resolve => {
    if (lifecycle.stopping.aborted) resolve();
    lifecycle.stopping.addEventListener('abort', () => resolve(), { once: true });
  });
  logger.log('info', 'finishing the shards in hand');
  await worker.close({ force: lifecycle.leaving.aborted });
  await finisher.finish();
}
