// One engine process with the shards it has in hand: the current one and the next. For consumer.ts.
import { jobIdOf, type ShardJob } from '../../../shared/src/job.ts';
import { type JobContext, JobReleased } from '../../../shared/src/queue.ts';
import type { WorkerOptions } from './consumer.ts';
import { openEngineClient, type ProcessOptions, type Warmed } from './engine-client.ts';
import { processIsolating } from './isolate-crash.ts';

export interface Slot {
  readonly inHand: number;
  warm(job: ShardJob): Promise<Warmed>;
  /** Resolves to the receipt; rejects with JobReleased where releaseUnbegun took the shard away. */
  process(job: ShardJob, context: JobContext): Promise<unknown>;
  /** Gives back every shard that the process has not begun to compute. */
  releaseUnbegun(): void;
  close(options: { readonly force: boolean }): Promise<void>;
}

interface Task {
  readonly release: AbortController;
  /** Tried before: works alone, so that a death of the process is its own and costs no other shard an attempt. */
  readonly alone: boolean;
  begun: boolean;
}

export function createSlot(options: WorkerOptions): Slot {
  const client = openEngineClient(options);
  /** In the order in which the process works on them. */
  const tasks = new Set<Task>();
  /** Tasks that the process knows of. */
  const sent = new Set<Task>();
  const waiting: (() => void)[] = [];

  /** Waits until the process has room for that task: none beside a task that works alone. */
  async function enter(task: Task, signal: AbortSignal): Promise<void> {
    while (task.alone ? sent.size > 0 : [...sent].some(({ alone }) => alone)) {
      signal.throwIfAborted();
      await new Promise<void>(resolve => {
        waiting.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    signal.throwIfAborted();
    sent.add(task);
  }

  return {
    get inHand(): number {
      return tasks.size;
    },
    warm: job => client.warm(job),

    async process(job, context): Promise<unknown> {
      const task: Task = { release: new AbortController(), alone: context.attempt > 1, begun: false };
      const signal = AbortSignal.any([context.signal, task.release.signal]);
      tasks.add(task);
      try {
        await enter(task, signal);
        const processOptions: ProcessOptions = {
          attempt: context.attempt,
          signal,
          onProgress: progress => {
            task.begun = true;
            options.onProgress?.(progress);
          },
        };
        if (!task.alone) return await client.process(job, processOptions);
        return await processIsolating(client, job, { ...processOptions, logger: options.logger });
      } catch (error) {
        if (!task.release.signal.aborted) throw error;
        throw new JobReleased(`shard ${jobIdOf(job)} was not begun when the worker stopped`);
      } finally {
        tasks.delete(task);
        sent.delete(task);
        for (const resolve of waiting.splice(0)) resolve();
      }
    },

    releaseUnbegun(): void {
      const [current] = sent;
      for (const task of tasks) {
        if (task !== current && !task.begun) task.release.abort();
      }
    },
    close: ({ force }) => client.close({ force }),
  };
}
