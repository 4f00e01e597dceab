// How a worker shares a machine between engine processes, engine threads and decoding threads.
import type { WorkerOptions } from '../../../shared/src/extract-options.ts';
import { availableMemory, usableProcessors } from '../../../shared/src/processors.ts';

export interface Split {
  readonly processes: number;
  /** Of the engine in each process. */
  readonly threads: number;
  /** In each process. */
  readonly decodeThreads: number;
  /**
   * Whether a process decodes and infers by turns. Where each has a processor, the two would only take it from one another every
   * few milliseconds, and its caches with it.
   */
  readonly takeTurns: boolean;
}

export interface Machine {
  readonly processors: number;
  /** Free bytes. */
  readonly memory: number;
}

/** An extractor of a large model with its batches; small ones take a sixth of it. What one really takes is measured where it matters. */
export const PROCESS_BYTES = 2e9;

/**
 * By itself a process for each processor with one engine thread: one that waits for the others of its operator waits less
 * in a process of its own, and the decoding of a process fills the gaps of the other. Fewer processes with more threads
 * where memory or the work is short.
 *
 * @param most shards to work on: more processes would have nothing to do
 */
export function splitProcessors(
  wanted: Pick<WorkerOptions, 'processes' | 'threads' | 'decodeThreads'>,
  most = Number.POSITIVE_INFINITY,
  machine: Machine = { processors: usableProcessors(), memory: availableMemory() },
): Split {
  const { processors, memory } = machine;
  const threadsWanted = wanted.threads === 'auto' ? 1 : wanted.threads;
  const fitting = Math.min(Math.floor(processors / threadsWanted), Math.floor(memory / PROCESS_BYTES));
  const processes = Math.max(1, Math.min(wanted.processes === 'auto' ? fitting : wanted.processes, most));
  const share = Math.max(1, Math.floor(processors / processes));
  const threads = wanted.threads === 'auto' ? share : wanted.threads;
  const decodeThreads = wanted.decodeThreads === 'auto' ? share : wanted.decodeThreads;
  return { processes, threads, decodeThreads, takeTurns: share === 1 && threads === 1 && decodeThreads === 1 };
}

/** Whether so much free memory holds all processes even of a large model. */
export function isAmple({ processes }: Split, memory: number): boolean {
  return processes === 1 || memory >= processes * PROCESS_BYTES;
}

/** Bytes that each engine process may hold before another one takes its place. */
export function memoryLimit(
  wanted: WorkerOptions['maxMemory'],
  { processes }: Split,
  free = availableMemory(),
): number | undefined {
  if (wanted === 'none') return undefined;
  return wanted === 'auto' ? free / processes : wanted;
}

/** One line for the log. */
export function describeSplit({ processes, threads, decodeThreads }: Omit<Split, 'takeTurns'>): string {
  const each = processes === 1 ? '' : ' each';
  return `${amount(processes, 'engine process', 'es')} with ${amount(threads, 'engine thread')} and ${amount(decodeThreads, 'decoding thread')}${each}`;
}

function amount(count: number, name: string, plural = 's'): string {
  return `${count} ${name}${count === 1 ? '' : plural}`;
}
