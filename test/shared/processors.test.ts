// The bounds that control groups put on a process: from the texts that the kernel writes, and in real groups where they can be made.
import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { availableMemory, usableMemory, usableProcessors } from '../../shared/src/processors.ts';
import { makeRealGroup, type RealGroup } from '../support/real-group.ts';

type Files = Readonly<Record<string, string>>;

const MACHINE: Files = {
  '/proc/self/status': 'Name:\tnode\nCpus_allowed:\tffff\nCpus_allowed_list:\t0-15\nMems_allowed:\t1\n',
  '/sys/devices/system/cpu/online': '0-7\n',
  '/proc/meminfo': 'MemTotal: 33554432 kB\nMemFree: 1048576 kB\nMemAvailable: 16777216 kB\n',
};
/** Version 2 alone, and version 1 with a hierarchy for each controller beside a version 2 without any. */
const TWO = '30 23 0:26 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n';
const ONE = [
  '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
  '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
  '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
  '',
].join('\n');
const GIB = 2 ** 30;

function reading(files: Files): (path: string) => string {
  return path => ({ ...MACHINE, ...files })[path] ?? '';
}

describe('usableProcessors', () => {
  const pod = { '/proc/self/mountinfo': TWO, '/proc/self/cgroup': '0::/kubepods/pod1/container\n' };
  const one = { '/proc/self/mountinfo': ONE, '/proc/self/cgroup': '2:cpu,cpuacct:/batch/job\n1:memory:/\n0::/\n' };

  it.each<[string, Files, number]>([
    ['no control groups', {}, 8],
    ['processors that it is pinned to', { '/proc/self/status': 'Cpus_allowed_list:\t1,3,6-9\n' }, 4],
    ['no bound of version 2', { ...pod, '/sys/fs/cgroup/kubepods/pod1/container/cpu.max': 'max 100000\n' }, 8],
    ['half a processor', { ...pod, '/sys/fs/cgroup/kubepods/pod1/container/cpu.max': '50000 100000\n' }, 1],
    ['two and a half', { ...pod, '/sys/fs/cgroup/kubepods/pod1/container/cpu.max': '250000 100000\n' }, 3],
    ['more than there are', { ...pod, '/sys/fs/cgroup/kubepods/pod1/container/cpu.max': '102400000 100000\n' }, 8],
    [
      'the tightest of all groups above, not the nearest',
      {
        ...pod,
        '/sys/fs/cgroup/kubepods/pod1/container/cpu.max': '600000 100000\n',
        '/sys/fs/cgroup/kubepods/pod1/cpu.max': '200000 100000\n',
        '/sys/fs/cgroup/kubepods/cpu.max': '400000 100000\n',
      },
      2,
    ],
    ['no other group', { ...pod, '/sys/fs/cgroup/kubepods/pod2/cpu.max': '100000 100000\n' }, 8],
    [
      'one of version 1',
      {
        ...one,
        '/sys/fs/cgroup/cpu,cpuacct/batch/cpu.cfs_quota_us': '100000\n',
        '/sys/fs/cgroup/cpu,cpuacct/batch/cpu.cfs_period_us': '50000\n',
        '/sys/fs/cgroup/cpu,cpuacct/batch/job/cpu.cfs_quota_us': '-1\n',
        '/sys/fs/cgroup/cpu,cpuacct/batch/job/cpu.cfs_period_us': '100000\n',
      },
      2,
    ],
    [
      'a container of version 1, whose mount begins at its own group',
      {
        '/proc/self/mountinfo': '164 163 0:29 /docker/e161 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n',
        '/proc/self/cgroup': '1:cpu:/docker/e161/inner\n0::/docker/e161\n',
        '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '150000\n',
        '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
      },
      2,
    ],
    [
      'a container that sees no path to its group',
      {
        '/proc/self/mountinfo': '30 23 0:26 /.. /sys/fs/cgroup ro - cgroup2 cgroup rw\n',
        '/proc/self/cgroup': '0::/somewhere\n',
        '/sys/fs/cgroup/cpu.max': '100000 100000\n',
      },
      1,
    ],
    [
      'a mount point with a space in its path',
      {
        '/proc/self/mountinfo': '30 23 0:26 / /cgroup\\040two rw - cgroup2 cgroup2 rw\n',
        '/proc/self/cgroup': '0::/\n',
        '/cgroup two/cpu.max': '100000 100000\n',
      },
      1,
    ],
    ['a text of another kind', { ...pod, '/sys/fs/cgroup/kubepods/cpu.max': 'what\n' }, 8],
  ])('counts %s', (_, files, expected) => {
    expect(usableProcessors(reading(files))).toBe(expected);
  });

  it('counts those of this machine as Node does, where no group has a bound', () => {
    const here = usableProcessors();
    expect(here).toBeGreaterThanOrEqual(1);
    expect(here).toBeLessThanOrEqual(availableParallelism());
  });
});

describe('availableMemory', () => {
  const slice = {
    '/proc/self/mountinfo': TWO,
    '/proc/self/cgroup': '0::/a/b\n',
    '/sys/fs/cgroup/a/b/memory.max': 'max\n',
    '/sys/fs/cgroup/a/memory.max': `${4 * GIB}\n`,
    '/sys/fs/cgroup/a/memory.current': `${3 * GIB}\n`,
  };

  it('is what the machine could give', () => {
    expect(availableMemory(reading({}))).toBe(16 * GIB);
  });

  it('is what is left of the bound of any group above', () => {
    expect(availableMemory(reading(slice))).toBe(GIB);
    expect(usableMemory(reading(slice))).toBe(Math.min(4 * GIB, usableMemory(reading({}))));
  });

  it('counts no file that the kernel would drop', () => {
    const stat = `anon ${GIB}\ninactive_file ${2 * GIB}\nactive_file 4096\n`;
    expect(availableMemory(reading({ ...slice, '/sys/fs/cgroup/a/memory.stat': stat }))).toBe(3 * GIB);
  });

  it('takes the mark above which the kernel slows down for a bound', () => {
    expect(availableMemory(reading({ ...slice, '/sys/fs/cgroup/a/memory.high': `${3.5 * GIB}` }))).toBe(GIB / 2);
  });

  it('is nothing above a bound', () => {
    expect(availableMemory(reading({ ...slice, '/sys/fs/cgroup/a/memory.max': `${2 * GIB}` }))).toBe(0);
  });

  it('reads version 1, whose number near 2 ** 63 is no bound', () => {
    const files = (bound: string): Files => ({
      '/proc/self/mountinfo': ONE,
      '/proc/self/cgroup': '4:memory:/job\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
      '/sys/fs/cgroup/memory/job/memory.limit_in_bytes': bound,
      '/sys/fs/cgroup/memory/job/memory.usage_in_bytes': `${2 * GIB}`,
      '/sys/fs/cgroup/memory/job/memory.stat': `inactive_file 0\ntotal_inactive_file ${GIB}\n`,
    });
    expect(availableMemory(reading(files(`${3 * GIB}\n`)))).toBe(2 * GIB);
    expect(availableMemory(reading(files('9223372036854771712\n')))).toBe(16 * GIB);
  });

  it('is some of the memory of this machine', () => {
    expect(availableMemory()).toBeGreaterThan(1e6);
    expect(availableMemory()).toBeLessThanOrEqual(usableMemory());
  });
});

describe('a process in a real control group', () => {
  const script = `const p = await import(${JSON.stringify(new URL('../../dist/shared/src/processors.js', import.meta.url).href)});
    console.log(JSON.stringify([p.usableProcessors(), p.availableMemory(), p.usableMemory()]));`;
  const measure = ({ run }: RealGroup): readonly number[] =>
    JSON.parse(run(process.execPath, ['--input-type=module', '-e', script]).stdout) as readonly number[];

  it('counts a share of one above it, and the memory that is left there', context => {
    const group = makeRealGroup({ processors: 0.5, bytes: GIB }, 2);
    if ('reason' in group) return context.skip(group.reason);
    const [processors, free, usable] = measure(group);
    expect(processors).toBe(1);
    expect(usable).toBe(GIB);
    expect(free).toBeLessThan(GIB);
    expect(free).toBeGreaterThan(GIB / 2);
  });
});
