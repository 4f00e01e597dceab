// The bounds that control groups put on a process, from the texts that the kernel writes.
import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { availableMemory, usableProcessors } from '../../shared/src/processors.ts';

const all = availableParallelism();

describe('usableProcessors', () => {
  it.each([
    ['no bound of version 2', { '/sys/fs/cgroup/cpu.max': 'max 100000\n' }, all],
    ['half a processor', { '/sys/fs/cgroup/cpu.max': '50000 100000\n' }, 1],
    ['one and a half', { '/sys/fs/cgroup/cpu.max': '150000 100000\n' }, Math.min(all, 2)],
    ['more than there are', { '/sys/fs/cgroup/cpu.max': '102400000 100000\n' }, all],
    [
      'one of version 1',
      { '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '100000\n', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' },
      1,
    ],
    [
      'no bound of version 1',
      { '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' },
      all,
    ],
    ['no control groups', {}, all],
    ['a text of another kind', { '/sys/fs/cgroup/cpu.max': 'what\n' }, all],
  ])('reads %s', (_, files: Readonly<Record<string, string>>, expected) => {
    expect(usableProcessors(path => files[path] ?? '')).toBe(expected);
  });
});

describe('availableMemory', () => {
  it('is some of the memory of the machine', () => {
    expect(availableMemory()).toBeGreaterThan(1e6);
  });
});
