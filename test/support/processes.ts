// Looks at other processes through /proc: their engine processes, whether they live, the memory that they hold.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setInterval as ticks } from 'node:timers/promises';

/** Process ids of the engine processes that a process has started. */
export function engineProcessesOf(parent: number): readonly number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => parentOf(pid) === parent && commandOf(pid).includes('engine-process'));
}

/** Whether it runs; a zombie, which only waits to be collected, does not. */
export function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && statusField(pid, 'State')?.startsWith('Z') !== true;
}

/** Resident memory in megabytes (10^6 bytes); undefined when the process is gone. */
export function residentMegabytes(pid: number): number | undefined {
  const kibibytes = statusField(pid, 'VmRSS')?.match(/\d+/)?.[0];
  return kibibytes === undefined ? undefined : (Number(kibibytes) * 1024) / 1e6;
}

export interface MemorySamples {
  /** Megabytes of the process itself. */
  readonly parent: readonly number[];
  /** Megabytes of its engine process. */
  readonly engine: readonly number[];
}

/** Samples a command and its engine process until `ended` settles. */
export async function sampleMemory(pid: number, ended: Promise<unknown>): Promise<MemorySamples> {
  const stop = new AbortController();
  const stopped = ended.finally(() => stop.abort()).catch(() => undefined);
  const parent: number[] = [];
  const engine: number[] = [];
  let child: number | undefined;
  try {
    for await (const _ of ticks(50, undefined, { signal: stop.signal })) {
      const own = residentMegabytes(pid);
      if (own !== undefined) parent.push(own);
      // Looked for until it is there: reading all of /proc each time would slow down what is measured.
      child ??= engineProcessesOf(pid)[0];
      const megabytes = child === undefined ? undefined : residentMegabytes(child);
      if (megabytes !== undefined) engine.push(megabytes);
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  await stopped;
  return { parent, engine };
}

function parentOf(pid: number): number {
  return Number(statusField(pid, 'PPid') ?? 0);
}

function commandOf(pid: number): string {
  return readOrEmpty(`/proc/${pid}/cmdline`);
}

function statusField(pid: number, name: string): string | undefined {
  return readOrEmpty(`/proc/${pid}/status`).match(new RegExp(`^${name}:\\s*(.*)$`, 'm'))?.[1];
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Processes end while one looks.
    return '';
  }
}
