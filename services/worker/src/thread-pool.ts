// Runs tasks on worker threads that serve serveTasks(): for decode-pool.ts.
import { Worker } from 'node:worker_threads';
import type { ThreadReply, ThreadRequest } from './thread-server.ts';

export interface ThreadPoolOptions<Settings = unknown> {
  /** A compiled module that calls `serveTasks`. */
  readonly script: URL;
  readonly threads: number;
  /** Makes the `workerData` of a thread, one that replaces another included. */
  readonly settings?: () => Settings;
  /** Called with a thread's settings when it has ended, however: for what it held. */
  readonly onEnd?: (settings: Settings) => void;
}

export interface ThreadPool<Task, Result> {
  /** Rejects when the task throws or its thread dies; the other tasks of the pool go on. */
  run(task: Task): Promise<Result>;
  /** Rejects what is not done yet, lets each thread finish its tasks under way, and waits for it to end. */
  close(): Promise<void>;
}

/** A thread ended with tasks in work: one of them may have been its end. */
export class ThreadDeath extends Error {
  override readonly name = 'ThreadDeath';
}

/** Resolves when all threads are ready; rejects when one cannot start. */
export async function openThreadPool<Task, Result, Settings = unknown>(
  options: ThreadPoolOptions<Settings>,
): Promise<ThreadPool<Task, Result>> {
  const pool = new Pool<Task, Result, Settings>(options);
  try {
    await pool.start();
  } catch (error) {
    await pool.close();
    throw error;
  }
  return pool;
}

interface Thread<Result> {
  readonly worker: Worker;
  readonly waiting: Map<number, { resolve(result: Result): void; reject(error: Error): void }>;
  /** Rejected when the thread ends before it can take tasks. */
  readonly ready: Promise<void>;
  /** Fulfilled when the thread has ended, for whatever reason. */
  readonly ended: Promise<void>;
}

/**
 * A task goes to the queue of one thread at once, the least loaded: the caller's thread may then block for a second
 * in native inference while the threads work off what they hold. A dead thread fails its own tasks and is replaced.
 */
class Pool<Task, Result, Settings> implements ThreadPool<Task, Result> {
  readonly #options: ThreadPoolOptions<Settings>;
  #threads: Thread<Result>[] = [];
  #nextId = 0;
  #turn = 0;
  #closed = false;

  constructor(options: ThreadPoolOptions<Settings>) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#threads = Array.from({ length: this.#options.threads }, () => this.#startThread());
    await Promise.all(this.#threads.map(({ ready }) => ready));
  }

  run(task: Task): Promise<Result> {
    if (this.#closed) return Promise.reject(new Error('The thread pool is closed'));
    // Replaced here and not when it died, so that a thread that cannot live costs one start a task, not a busy loop.
    while (this.#threads.length < this.#options.threads) this.#threads.push(this.#startThread());
    const thread = this.#leastLoaded();
    const request: ThreadRequest<Task> = { id: this.#nextId++, task };
    return new Promise<Result>((resolve, reject) => {
      thread.waiting.set(request.id, { resolve, reject });
      thread.worker.postMessage(request);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const threads = this.#threads;
    for (const { worker, waiting } of threads) {
      rejectAll(waiting, new Error('The thread pool was closed'));
      worker.postMessage('close');
    }
    await Promise.all(threads.map(({ ended }) => ended));
  }

  /** In turn among equals, or the first thread would get every lone task. */
  #leastLoaded(): Thread<Result> {
    const count = this.#threads.length;
    const turn = this.#turn++;
    const inTurn = Array.from({ length: count }, (_, i) => this.#threads[(turn + i) % count] as Thread<Result>);
    return inTurn.reduce((best, thread) => (thread.waiting.size < best.waiting.size ? thread : best));
  }

  #startThread(): Thread<Result> {
    const settings = this.#options.settings?.();
    const worker = new Worker(this.#options.script, { workerData: settings });
    const waiting: Thread<Result>['waiting'] = new Map();
    let cause: unknown;
    worker.on('error', error => {
      cause = error;
    });
    const ready = new Promise<void>((resolve, reject) => {
      worker.on('message', (reply: ThreadReply<Result>) => {
        if (reply === 'ready') resolve();
        else settle(waiting, reply);
      });
      worker.once('exit', status => reject(new Error(`A thread ended with status ${status} at its start`, { cause })));
    });
    // Only the opening of the pool waits for this: later on, the tasks of a thread that cannot start tell.
    ready.catch(() => undefined);
    const ended = new Promise<void>(resolve => {
      worker.once('exit', status => {
        this.#threads = this.#threads.filter(thread => thread.worker !== worker);
        if (settings !== undefined) this.#options.onEnd?.(settings);
        rejectAll(waiting, new ThreadDeath(`A thread ended with status ${status} before its tasks`, { cause }));
        resolve();
      });
    });
    return { worker, waiting, ready, ended };
  }
}

function settle<Result>(waiting: Thread<Result>['waiting'], reply: Exclude<ThreadReply<Result>, 'ready'>): void {
  const task = waiting.get(reply.id);
  waiting.delete(reply.id);
  if ('result' in reply) task?.resolve(reply.result);
  else task?.reject(reply.error);
}

function rejectAll(waiting: Map<number, { reject(error: Error): void }>, error: Error): void {
  for (const { reject } of waiting.values()) reject(error);
  waiting.clear();
}
