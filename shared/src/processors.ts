// How much of this machine is ours: processors and memory, as the system or a container bounds them. For whoever starts
// processes and threads.
import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';

/**
 * Processors that this process may use, at least 1. Node counts those that it is pinned to, but not a container's share of
 * their time, which the kernel's control groups hold.
 */
export function usableProcessors(readFile: (path: string) => string = readText): number {
  const quota = processorQuota(readFile);
  const processors = availableParallelism();
  return quota === undefined ? processors : Math.max(1, Math.min(processors, Math.ceil(quota)));
}

/** Processors' worth of time that a control group allows; undefined where there is no bound, or no Linux. */
function processorQuota(readFile: (path: string) => string): number | undefined {
  // Version 2: "200000 100000" or "max 100000", microseconds in each period.
  const [quota, period] = readFile('/sys/fs/cgroup/cpu.max').trim().split(' ').map(Number);
  if (isBound(quota) && isBound(period)) return quota / period;
  const oldQuota = Number(readFile('/sys/fs/cgroup/cpu/cpu.cfs_quota_us'));
  const oldPeriod = Number(readFile('/sys/fs/cgroup/cpu/cpu.cfs_period_us'));
  return isBound(oldQuota) && isBound(oldPeriod) ? oldQuota / oldPeriod : undefined;
}

/** -1 and "max" stand for no bound. */
function isBound(value: number | undefined): value is number {
  return value !== undefined && value > 0 && Number.isFinite(value);
}

/** Bytes that are free for this process, by the machine or by its container. */
export function availableMemory(): number {
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
