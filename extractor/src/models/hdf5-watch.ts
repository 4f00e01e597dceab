// Runs the thread that reads one HDF5 file and ends it when it is done, late or dead. For hdf5.ts.
import { Worker } from 'node:worker_threads';
import { compiledUrl } from '../../../shared/src/compiled-url.ts';
import { describeError } from '../../../shared/src/errors.ts';
import type { Hdf5Group } from './hdf5-content.ts';
import type { Hdf5Message, Hdf5Task } from './hdf5-thread.ts';

/** The content, or what the file is instead: words that complete "but received …". */
export type Hdf5Outcome = { readonly content: Hdf5Group } | { readonly failure: string };

/** Time that a thread gets to load the library; on a loaded machine it takes seconds. */
const START_LIMIT_MS = 60_000;

/** On a loaded machine the thread waits more than it reads: it is late by the clock only after so many times its limit. */
const CLOCK_FACTOR = 10;

/**
 * One thread for one file, as an abort inside the library, a hang or memory that runs out end the thread alone.
 * It has ended before the promise is settled; whatever happens to it is an outcome.
 * @param limitMs for the reading, in time that this process spends on the processor
 * @param signal ends the reading: the promise rejects with the signal's reason
 */
export async function runHdf5Thread(
  task: Hdf5Task,
  limitMs: number,
  signal: AbortSignal | undefined,
): Promise<Hdf5Outcome> {
  signal?.throwIfAborted();
  const worker = new Worker(compiledUrl('./hdf5-thread.ts', import.meta.url), {
    workerData: task,
    // Without the parent's loaders, which take memory and time: the script is compiled.
    execArgv: [],
    transferList: 'buffer' in task.source ? [task.source.buffer.buffer as ArrayBuffer] : [],
    // What the library prints when it aborts says nothing to a user.
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: 256 + Math.ceil((8 * task.fileBytes) / 2 ** 20), stackSizeMb: 4 },
  });
  let stopWatch: () => void = () => undefined;
  let onAbort: (() => void) | undefined;
  try {
    return await new Promise<Hdf5Outcome>((settle, reject) => {
      const late = (ms: number) => (): void =>
        settle({ failure: `one that takes more than ${(ms / 1000).toFixed(1)} s to read` });
      onAbort = (): void => reject(signal?.reason);
      signal?.addEventListener('abort', onAbort);
      stopWatch = watch(START_LIMIT_MS, late(START_LIMIT_MS));
      worker.on('message', (message: Hdf5Message) => {
        stopWatch();
        if (message === 'reading') stopWatch = watch(limitMs, late(limitMs));
        else settle(message);
      });
      worker.once('error', error => settle({ failure: `one that breaks the reader: ${describeError(error)}` }));
      worker.once('exit', status => settle({ failure: `one that ends the reader with status ${status}` }));
    });
  } finally {
    stopWatch();
    if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
    await worker.terminate();
  }
}

/** Calls `onLate` once after `limitMs` of both the clock and this process's time on the processor. Gives a stop. */
function watch(limitMs: number, onLate: () => void): () => void {
  const startedAt = performance.now();
  const startedWith = process.cpuUsage();
  let timer: NodeJS.Timeout;
  let check: NodeJS.Immediate | undefined;
  // A message may have come while this thread was busy: it is heard before the look at the time.
  const arm = (ms: number): void => {
    timer = setTimeout(() => {
      check = setImmediate(look);
    }, ms);
  };
  const look = (): void => {
    const { user, system } = process.cpuUsage(startedWith);
    const left = limitMs - (user + system) / 1000;
    if (left <= 0 || performance.now() - startedAt >= CLOCK_FACTOR * limitMs) onLate();
    else arm(Math.max(10, left / 2));
  };
  arm(limitMs);
  return () => {
    clearTimeout(timer);
    clearImmediate(check);
  };
}
