// The thread's side of thread-pool.ts: takes tasks from the message queue and answers each once.
import { parentPort } from 'node:worker_threads';

export type ThreadRequest<Task> = { readonly id: number; readonly task: Task };

/** 'ready' once, then one answer for each task. */
export type ThreadReply<Result> =
  | 'ready'
  | { readonly id: number; readonly result: Result }
  | { readonly id: number; readonly error: Error };

export interface ServeOptions<Task, Result> {
  readonly handle: (task: Task) => Promise<Result>;
  /** Tasks in work at a time; the others wait here, not with the sender. */
  readonly concurrency: number;
}

/** Serves until the pool says 'close': then drops what waits, finishes what runs, and lets the thread end. */
export function serveTasks<Task, Result>(options: ServeOptions<Task, Result>): void {
  const port = parentPort;
  if (port === null) throw new Error('Expected to run in a worker thread');
  let queue: ThreadRequest<Task>[] = [];
  let running = 0;
  let closing = false;

  const answer = async ({ id, task }: ThreadRequest<Task>): Promise<void> => {
    try {
      const result = await options.handle(task);
      port.postMessage({ id, result } satisfies ThreadReply<Result>);
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      port.postMessage({ id, error } satisfies ThreadReply<Result>);
    }
    running--;
    advance();
  };
  const advance = (): void => {
    while (running < options.concurrency) {
      const next = queue.shift();
      if (next === undefined) break;
      running++;
      void answer(next);
    }
    if (closing && running === 0) port.close();
  };

  port.on('message', (message: ThreadRequest<Task> | 'close') => {
    if (message === 'close') {
      closing = true;
      queue = [];
    } else {
      queue.push(message);
    }
    advance();
  });
  port.postMessage('ready' satisfies ThreadReply<Result>);
}
