// How many engine processes a worker starts and with what: from its options, the processors and the memory. For whoever opens one.
import type { WorkerOptions } from '../../../shared/src/extract-options.ts';
import { availableMemory, usableProcessors } from '../../../shared/src/processors.ts';
import type { EngineClientOptions } from './engine-client.ts';
import { engineProcessStart } from './engine-process-options.ts';
import type { MemoryFit } from './fit-processes.ts';
import { isAmple, memoryLimit, type Split, splitProcessors } from './split-processors.ts';

export interface EngineProcessesOptions
  extends Pick<WorkerOptions, 'processes' | 'threads' | 'decodeThreads' | 'maxMemory' | 'allowRoot'> {
  /** Worker's name in receipts. */
  readonly name: string;
  /** What the processes inherit. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Shards to work on: more processes would have nothing to do. @default any number */
  readonly most?: number;
}

export interface EngineProcesses
  extends Pick<EngineClientOptions, 'script' | 'args' | 'env' | 'execArgv' | 'maxResidentBytes'> {
  readonly processes: number;
  /** Undefined where the user gave the number of processes. */
  readonly fit: MemoryFit | undefined;
  readonly split: Split;
}

export function engineProcesses(options: EngineProcessesOptions): EngineProcesses {
  const { most, env } = options;
  const processors = usableProcessors();
  const memory = availableMemory();
  // Where nobody said how the processors are shared out.
  const isFree = options.processes === 'auto' && options.threads === 'auto';
  const start = (split: Split) => ({
    ...engineProcessStart({ ...options, ...split, deterministicThreads: isFree ? 1 : split.threads }, env),
    maxResidentBytes: memoryLimit(options.maxMemory, split, memory),
  });
  const split = splitProcessors(options, most, { processors, memory: Number.POSITIVE_INFINITY });
  const fit: MemoryFit = {
    isAmple: () => isAmple(split, availableMemory()),
    free: availableMemory,
    startOf: processes => start(splitProcessors({ ...options, processes }, most, { processors, memory })),
    unmeasured: splitProcessors(options, most, { processors, memory }).processes,
  };
  return { ...start(split), processes: split.processes, fit: options.processes === 'auto' ? fit : undefined, split };
}
