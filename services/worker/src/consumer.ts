// The worker's parent: takes shards from the queue and hands them to warmed engine processes. It never computes.
import { setTimeout as sleep } from 'node:timers/promises';
import { describeError } from '../../../shared/src/errors.ts';
import type { ShardJob } from '../../../shared/src/job.ts';
import {
  type JobConsumer,
  type JobContext,
  type JobQueue,
  JobRefused,
  JobReleased,
} from '../../../shared/src/queue.ts';
import type { EngineClientOptions } from './engine-client.ts';
import { EngineFailure } from './engine-errors.ts';
import { createFitting, type MemoryFit, type ProcessStart } from './fit-processes.ts';
import { createSlot, type Slot } from './slot.ts';
import type { ShardProgress } from './worker-messages.ts';

export interface WorkerOptions extends EngineClientOptions {
  readonly queue: JobQueue;
  /** Engine processes, each with the extractor in its memory: the most of them where the memory decides. */
  readonly processes: number;
  /** How the memory decides. @default it does not */
  readonly fit?: MemoryFit | undefined;
  /** No other worker could take what this one declines: such a shard fails instead of waiting. @default false */
  readonly alone?: boolean;
  readonly onProgress?: (progress: ShardProgress) => void;
  /** `receipt` is the engine process' own JSON of the shard. */
  readonly onReceipt?: (job: ShardJob, receipt: unknown) => void;
  /** Called each time when the queue is empty and no shard is in hand. */
  readonly onIdle?: () => void;
  readonly onFailed?: (job: ShardJob, error: Error) => void;
}

export interface Worker {
  /** Finishes the shards in hand and gives back those not begun. With `force`, gives back all and kills the processes. */
  close(options?: { readonly force?: boolean }): Promise<void>;
}

/** The current shard and the next one, whose decoding overlaps the inference of the current one. */
const SHARDS_PER_PROCESS = 2;
/** Pause before a declined shard may be taken again: time for a worker that can serve it. */
const DECLINED_DELAY_MS = 5000;
const PEEK_INTERVAL_MS = 1000;

/**
 * Resolves at once; the first shard is taken when the engine processes are warm for it. Where the memory may not hold so many of
 * them with the model of another run, the shards in hand are finished and the processes opened anew before one of it is taken.
 */
export async function openWorker(options: WorkerOptions): Promise<Worker> {
  const { queue, logger } = options;
  const told = options.told ?? new Set<string>();
  const slots: Slot[] = [];
  const stopping = new AbortController();
  const create = (start: Partial<ProcessStart>): Slot => createSlot({ ...options, told, ...start });
  const { fit, processes: most } = options;
  const fitting = fit && createFitting({ fit, most, slots, create, logger, signal: stopping.signal });
  let consumer: JobConsumer | undefined;
  let warming = true;
  let forced = false;
  /** Has the slots opened anew, as many as fit for that job; ends the wait for one where the worker stops. */
  let reopen: (job: ShardJob | undefined) => void = () => undefined;

  async function start(): Promise<void> {
    let job = await firstJob(options, stopping.signal);
    for (;;) {
      await openSlots(job);
      if (stopping.signal.aborted) return;
      warming = false;
      const next = new Promise<ShardJob | undefined>(resolve => {
        reopen = resolve;
      });
      consumer = await queue.consume(handle, {
        concurrency: slots.length * SHARDS_PER_PROCESS,
        ...(options.onIdle && { onIdle: options.onIdle }),
        ...(options.onFailed && { onFailed: options.onFailed }),
      });
      // Closed while the consumer was being made.
      if (stopping.signal.aborted) return consumer.close({ force: forced });
      job = await next;
      if (stopping.signal.aborted) return;
      logger.log('info', 'another run may take more memory: it is measured when the shards in hand are done', {
        run: job?.runId,
      });
      // Ends when the shards in hand are done, and gives back the others.
      await consumer.close();
      warming = true;
      stopping.signal.throwIfAborted();
    }
  }

  /** Warm ones, where there is a shard to warm them for. */
  async function openSlots(job: ShardJob | undefined): Promise<void> {
    if (fitting !== undefined) return fitting.open(job);
    slots.push(...Array.from({ length: most }, () => create({})));
    if (job !== undefined) await warmAll(slots, job, options);
  }

  async function handle(job: ShardJob, context: JobContext): Promise<void> {
    if (stopping.signal.aborted) throw new JobReleased('the worker is stopping');
    if (fitting?.suits(job) === false) {
      reopen(job);
      throw new JobReleased('the worker measures first what the model of that run takes');
    }
    const [slot] = [...slots].sort((a, b) => a.inHand - b.inHand);
    if (slot === undefined) throw new Error('a worker has at least one engine process');
    try {
      const receipt = await slot.process(job, context);
      options.onReceipt?.(job, receipt);
    } catch (error) {
      // Its process died or waits to be started again: not worth waiting for here, and no fault of the shard's.
      if (stopping.signal.aborted && !(error instanceof EngineFailure)) throw new JobReleased(describeError(error));
      throw toQueueError(job, error, options);
    }
  }

  const started = start().catch(error => {
    if (!stopping.signal.aborted) logger.log('error', `the worker could not start: ${describeError(error)}`);
  });

  return {
    async close({ force = false } = {}): Promise<void> {
      stopping.abort();
      reopen(undefined);
      forced ||= force;
      // The queue stops giving first; otherwise a shard given back would be taken here again.
      const consumed = consumer?.close({ force });
      for (const slot of slots) slot.releaseUnbegun();
      // A process without a shard in hand has nothing to lose, and may be loading a model for a minute.
      if (force || warming) await Promise.all(slots.map(slot => slot.close({ force: true })));
      await Promise.all([started, consumed]);
      await Promise.all(slots.map(slot => slot.close({ force })));
    },
  };
}

/**
 * Waits for work. Nothing where there is some but none to warm for: jobs that no worker of this version reads, which taking
 * them fails, and jobs in the hands of other workers, which may be dead: only a worker that consumes takes those back.
 */
async function firstJob({ queue, logger, onIdle }: WorkerOptions, signal: AbortSignal): Promise<ShardJob | undefined> {
  for (let tellIdle = true; ; tellIdle = false) {
    signal.throwIfAborted();
    try {
      const job = await queue.peek();
      if (job !== undefined) return job;
      const { waiting, delayed, active } = await queue.counts();
      if (waiting + delayed + active > 0) return undefined;
      if (tellIdle) onIdle?.();
    } catch (error) {
      logger.log('warn', `could not look into the queue: ${describeError(error)}`);
    }
    await sleep(PEEK_INTERVAL_MS, undefined, { signal });
  }
}

/** A failure is only told here: each shard gets its own verdict from the process that takes it. */
async function warmAll(slots: readonly Slot[], job: ShardJob, { logger }: WorkerOptions): Promise<void> {
  const warmings = await Promise.allSettled(slots.map(slot => slot.warm(job)));
  for (const warming of warmings) {
    if (warming.status === 'rejected') logger.log('warn', `warming failed: ${describeError(warming.reason)}`);
    else logger.log('debug', 'engine process is warm', { ...warming.value });
  }
}

function toQueueError(job: ShardJob, error: unknown, { logger, alone = false }: WorkerOptions): unknown {
  if (!(error instanceof EngineFailure)) return error;
  switch (error.kind) {
    case 'retry':
    case 'crashed':
      return error;
    case 'refused':
      return new JobRefused(error.message);
    case 'declined':
      if (alone) return new JobRefused(error.message, { cause: error });
      logger.log('warn', `shard ${job.shard} of run ${job.runId} is declined: ${error.message}`);
      return new JobReleased(error.message, DECLINED_DELAY_MS);
  }
}
