// How much of this machine is ours: processors and memory, as the system or a container bounds them. For whoever starts
// processes and threads. The answers are the same on every Node release: what Node itself counts differs from one to the next.
import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { groupFreeMemory, groupMemory, groupProcessors, type ReadText } from './control-groups.ts';

/** Processors that this process may use, at least 1: those it is pinned to, and no more than its share of their time. */
export function usableProcessors(read: ReadText = readText): number {
  const processors = pinnedProcessors(read) ?? availableParallelism();
  return Math.max(1, Math.min(processors, Math.ceil(groupProcessors(read) ?? Number.POSITIVE_INFINITY)));
}

/** Bytes that are free for this process, by the machine or by its container. */
export function availableMemory(read: ReadText = readText): number {
  return Math.min(machineFree(read), groupFreeMemory(read) ?? Number.POSITIVE_INFINITY);
}

/** Bytes that this process could have if no other used any. */
export function usableMemory(read: ReadText = readText): number {
  return Math.min(totalmem(), groupMemory(read) ?? Number.POSITIVE_INFINITY);
}

/** Of the processors that are switched on; undefined where the system is no Linux. */
function pinnedProcessors(read: ReadText): number | undefined {
  const allowed = numbersOf(/^Cpus_allowed_list:\s*(.*)$/m.exec(read('/proc/self/status'))?.[1]);
  const online = new Set(numbersOf(read('/sys/devices/system/cpu/online')));
  const count = online.size === 0 ? allowed.length : allowed.filter(number => online.has(number)).length;
  return count === 0 ? undefined : count;
}

/** "0-3,8" */
function numbersOf(list = ''): readonly number[] {
  return list.split(',').flatMap(range => {
    const [, first, last = first] = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(range) ?? [];
    return first === undefined
      ? []
      : Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => Number(first) + index);
  });
}

/** What the kernel could give without swapping: free memory and what it keeps of files. */
function machineFree(read: ReadText): number {
  const kilobytes = /^MemAvailable:\s*(\d+) kB$/m.exec(read('/proc/meminfo'))?.[1];
  if (kilobytes !== undefined) return Number(kilobytes) * 1024;
  // In Node 20.20 and later; the types are older.
  const { availableMemory: measure } = process as { availableMemory?: () => number };
  return measure?.call(process) ?? totalmem();
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
