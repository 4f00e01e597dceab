// Works through a run in this process tree, without a server: in-memory queue, engine processes, progress, summary.

import { enqueueRun } from '../../services/producer/src/enqueue.ts';
import { openWorker } from '../../services/worker/src/consumer.ts';
import { engineProcesses } from '../../services/worker/src/engine-processes.ts';
import { describeSplit } from '../../services/worker/src/split-processors.ts';
import { cacheEnvironment } from '../../setup/src/made-cache.ts';
import { Refusal } from '../../shared/src/errors.ts';
import type { WorkerOptions } from '../../shared/src/extract-options.ts';
import { createFailureTally, type FailedBound, type FailureTally } from '../../shared/src/failed-bound.ts';
import { finishRun, halfMoved, type RunSummary } from '../../shared/src/finish-run.ts';
import type { Lifecycle } from '../../shared/src/lifecycle.ts';
import { createLogger } from '../../shared/src/logger.ts';
import { openMemoryQueue } from '../../shared/src/queues/memory.ts';
import { ShardReceipt } from '../../shared/src/receipt.ts';
import { engineWarnings } from '../../shared/src/request.ts';
import { missingShards, type RunRecord, readReceipts, requireStanding, shardRange } from '../../shared/src/run.ts';
import type { Storage } from '../../shared/src/storage.ts';
import { environment } from './config.ts';
import { showProgress } from './progress.ts';

export interface EmbeddedOptions extends WorkerOptions {
  readonly run: RunRecord;
  readonly storage: Storage;
  readonly json: boolean;
  readonly lifecycle: Lifecycle;
  /** Where the run stops because too many images failed. @default nowhere */
  readonly maxFailed?: FailedBound | undefined;
  /** What to do where shards are left, one sentence. @default `layertap resume` on the run */
  readonly goOn?: string;
}

/** Resolves with the summary; refuses (`interrupted`, `run-incomplete`, `too-many-failed`) with how to go on where shards are left. */
export async function runEmbedded(options: EmbeddedOptions): Promise<RunSummary> {
  const { run, storage, lifecycle } = options;
  const missing = await missingShards(storage, run);
  const tally = createFailureTally(options.maxFailed, run.manifest.rows, storage.root);
  if (options.maxFailed !== undefined) for await (const { failures } of readReceipts(storage, run)) tally.add(failures);
  if (missing.length > 0 && tally.refusal() === undefined) await workThrough(options, missing, tally);
  await requireStanding(storage);
  const summary = await finishRun(storage, run);
  const tooMany = tally.refusal();
  if (tooMany !== undefined) throw tooMany;
  if (summary !== undefined) return summary;
  const left = (await missingShards(storage, run)).length;
  if (left === 0) throw halfMoved(storage, run);
  const hint = options.goOn ?? `Go on with: npx layertap resume ${storage.root}`;
  if (lifecycle.stopping.aborted) {
    throw new Refusal(
      'interrupted',
      `Stopped with ${run.shards - left} of ${run.shards} shards done; nothing is lost`,
      { hint },
    );
  }
  throw new Refusal('run-incomplete', `${left} of ${run.shards} shards could not be done`, {
    hint: `Mend the cause named above. ${hint}`,
  });
}

async function workThrough(options: EmbeddedOptions, missing: readonly number[], tally: FailureTally): Promise<void> {
  const { run, storage, lifecycle } = options;
  const logger = createLogger({ json: options.json });
  const queue = openMemoryQueue();
  const rowsLeft = missing.reduce((sum, shard) => sum + shardRange(run, shard).rows, 0);
  await enqueueRun(queue, run, storage, { maxWaiting: Number.POSITIVE_INFINITY });
  const progress = showProgress({ total: run.manifest.rows, done: run.manifest.rows - rowsLeft, json: options.json });
  let idle: () => void = () => undefined;
  const ended = new Promise<void>(resolve => {
    idle = resolve;
    if (lifecycle.stopping.aborted) resolve();
    lifecycle.stopping.addEventListener('abort', () => resolve(), { once: true });
  });
  // By itself the number of engine threads depends on the free memory.
  const threads = run.request.deterministic && options.threads === 'auto' ? 1 : options.threads;
  const { split, ...processes } = engineProcesses({
    ...options,
    threads,
    name: 'embedded',
    env: { ...environment, ...(await cacheEnvironment()) },
    most: missing.length,
  });
  logger.log('info', describeSplit(split));
  const told = new Set(engineWarnings(run.request));
  for (const warning of told) logger.log('warn', warning);
  const worker = await openWorker({
    queue,
    ...processes,
    logger,
    told,
    stallMs: options.stallTimeout * 1000,
    alone: true,
    onProgress: update => progress.add(update),
    onReceipt: (_job, receipt) => {
      tally.add(ShardReceipt.parse(receipt).failures);
      if (tally.refusal() !== undefined) idle();
    },
    onIdle: () => idle(),
    onFailed: (job, error) => logger.log('error', `shard ${job.shard} failed: ${error.message}`),
  });
  lifecycle.leaving.addEventListener('abort', () => void worker.close({ force: true }), { once: true });
  await ended;
  if (lifecycle.stopping.aborted) {
    progress.interrupt();
    logger.log('info', 'Finishing the shard in hand; Ctrl-C again leaves at once.');
  }
  await worker.close({ force: lifecycle.leaving.aborted });
  await queue.close();
  progress.end();
}
