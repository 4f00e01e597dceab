// The embedded queue: first in, first out, inside one process. For `extract` without Redis, and for tests.
import { describeError } from '../errors.ts';
import { jobIdOf, type ShardJob } from '../job.ts';
import {
  type ConsumeOptions,
  type FailedJob,
  type JobConsumer,
  type JobCounts,
  type JobHandler,
  type JobQueue,
  JobRefused,
  JobReleased,
  type ReleasedJob,
  SHARD_ATTEMPTS,
} from '../queue.ts';

/** Pause before the second attempt, four times as long before each further one: a full disk rarely empties at once. */
const FIRST_RETRY_DELAY_MS = 50;

interface Entry {
  readonly id: string;
  readonly job: ShardJob;
  /** Attempts that have ended in an error. */
  attempts: number;
  /** Why it was given back last. */
  released?: string;
}

/** An entry is in exactly one: `waiting` in order, `delayed` by timer, `active` in a consumer's hand, `failed` for good. */
interface State {
  waiting: Entry[];
  readonly delayed: Map<Entry, NodeJS.Timeout>;
  readonly active: Set<Entry>;
  readonly failed: Map<string, { readonly entry: Entry; readonly reason: string }>;
  /** Everything but `failed`: what a second `add` ignores. */
  readonly queued: Set<string>;
  readonly consumers: Set<Consumer>;
}

interface Consumer extends JobConsumer {
  /** Takes what it has room for; tells of idleness where nothing is left. */
  take(): void;
}

export function openMemoryQueue(): JobQueue {
  const state: State = {
    waiting: [],
    delayed: new Map(),
    active: new Set(),
    failed: new Map(),
    queued: new Set(),
    consumers: new Set(),
  };
  return {
    async add(jobs): Promise<void> {
      for (const job of jobs) {
        const id = jobIdOf(job);
        if (state.queued.has(id)) continue;
        state.failed.delete(id);
        state.queued.add(id);
        state.waiting.push({ id, job, attempts: 0 });
      }
      wake(state);
    },
    async counts(): Promise<JobCounts> {
      const { waiting, active, delayed, failed } = state;
      return { waiting: waiting.length, active: active.size, delayed: delayed.size, failed: failed.size };
    },
    async failed(runId, limit): Promise<readonly FailedJob[]> {
      return [...state.failed.values()]
        .filter(({ entry }) => entry.job.runId === runId)
        .slice(0, limit)
        .map(({ entry, reason }) => ({ shard: entry.job.shard, reason, attempts: entry.attempts }));
    },
    async released(runId, limit): Promise<readonly ReleasedJob[]> {
      return [...state.delayed.keys()]
        .flatMap(({ job, released }) =>
          job.runId === runId && released !== undefined ? { shard: job.shard, reason: released } : [],
        )
        .slice(0, limit);
    },
    async peek(): Promise<ShardJob | undefined> {
      const [next = [...state.delayed.keys()][0]] = state.waiting;
      return next?.job;
    },
    async held(runId): Promise<number> {
      const entries = [
        ...state.waiting,
        ...state.delayed.keys(),
        ...[...state.failed.values()].map(({ entry }) => entry),
      ];
      return entries.filter(({ job }) => job.runId === runId).length;
    },
    async lost(jobs): Promise<readonly ShardJob[]> {
      return jobs.filter(job => !state.queued.has(jobIdOf(job)) && !state.failed.has(jobIdOf(job)));
    },
    async forget(runId): Promise<void> {
      forget(state, runId);
      wake(state);
    },
    async consume(handler, options): Promise<JobConsumer> {
      const consumer = createConsumer(state, handler, options);
      state.consumers.add(consumer);
      // On a later turn, so that the caller holds the consumer before its first onIdle.
      setImmediate(consumer.take);
      return consumer;
    },
    async close(): Promise<void> {
      await Promise.all([...state.consumers].map(consumer => consumer.close({ force: true })));
      for (const timer of state.delayed.values()) clearTimeout(timer);
    },
  };
}

function createConsumer(state: State, handler: JobHandler, options: ConsumeOptions): Consumer {
  const inHand = new Map<Promise<void>, AbortController>();
  let closing = false;
  let forced = false;
  let idle = false;

  function take(): void {
    while (!closing && inHand.size < options.concurrency) {
      const entry = state.waiting.shift();
      if (entry === undefined) break;
      idle = false;
      state.active.add(entry);
      const controller = new AbortController();
      const work = process(entry, controller.signal).finally(() => {
        inHand.delete(work);
        wake(state);
      });
      inHand.set(work, controller);
    }
    if (closing || idle || inHand.size > 0 || state.waiting.length > 0 || state.delayed.size > 0) return;
    idle = true;
    options.onIdle?.();
  }

  async function process(entry: Entry, signal: AbortSignal): Promise<void> {
    try {
      await handler(entry.job, { attempt: entry.attempts + 1, signal });
      state.active.delete(entry);
      state.queued.delete(entry.id);
    } catch (error) {
      state.active.delete(entry);
      if (forced) putBack(state, entry, 0);
      else if (error instanceof JobReleased) {
        entry.released = error.message;
        putBack(state, entry, error.delayMs);
      } else settleFailure(state, entry, error, options.onFailed);
    }
  }

  const consumer: Consumer = {
    take,
    async close({ force = false } = {}): Promise<void> {
      closing = true;
      if (force) {
        forced = true;
        for (const controller of inHand.values()) controller.abort(new Error('the worker leaves at once'));
      }
      await Promise.all(inHand.keys());
      state.consumers.delete(consumer);
    },
  };
  return consumer;
}

function settleFailure(state: State, entry: Entry, error: unknown, onFailed: ConsumeOptions['onFailed']): void {
  entry.attempts += 1;
  delete entry.released;
  if (!(error instanceof JobRefused) && entry.attempts < SHARD_ATTEMPTS) {
    putBack(state, entry, FIRST_RETRY_DELAY_MS * 4 ** (entry.attempts - 1));
    return;
  }
  state.queued.delete(entry.id);
  state.failed.set(entry.id, { entry, reason: describeError(error) });
  onFailed?.(entry.job, error instanceof Error ? error : new Error(String(error)));
}

/** To the front: whoever is free takes up the interrupted shard before a new one. */
function putBack(state: State, entry: Entry, delayMs: number): void {
  if (delayMs <= 0) {
    state.waiting.unshift(entry);
    return;
  }
  const timer = setTimeout(() => {
    state.delayed.delete(entry);
    state.waiting.unshift(entry);
    wake(state);
  }, delayMs);
  state.delayed.set(entry, timer);
}

function forget(state: State, runId: string): void {
  const isKept = ({ job }: Entry): boolean => job.runId !== runId;
  for (const entry of state.waiting.filter(entry => !isKept(entry))) state.queued.delete(entry.id);
  state.waiting = state.waiting.filter(isKept);
  for (const [entry, timer] of state.delayed) {
    if (isKept(entry)) continue;
    clearTimeout(timer);
    state.delayed.delete(entry);
    state.queued.delete(entry.id);
  }
  for (const [id, { entry }] of state.failed) {
    if (!isKept(entry)) state.failed.delete(id);
  }
}

function wake(state: State): void {
  for (const consumer of state.consumers) consumer.take();
}
