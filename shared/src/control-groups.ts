// What the kernel's control groups allow this process: processor time and memory. For processors.ts.
//
// A process is in one group of each hierarchy, and the bounds of all groups above it count too: a pod, a service of systemd or a
// batch job often has its bound there. /proc/self/cgroup names the group; /proc/self/mountinfo says where its files are.
import { posix } from 'node:path';

/** Text of a file of the kernel; empty where there is none. */
export type ReadText = (path: string) => string;

interface GroupFolder {
  readonly version: 1 | 2;
  readonly folder: string;
}

/** Processors' worth of time, of the tightest group; undefined without a bound. */
export function groupProcessors(read: ReadText): number | undefined {
  return tightest(groupFolders('cpu', read).map(group => processorsOf(group, read)));
}

/** Bytes that this process and all others of a group may hold, of the tightest group; undefined without a bound. */
export function groupMemory(read: ReadText): number | undefined {
  return tightest(groupFolders('memory', read).map(group => memoryBound(group, read)));
}

/** Bytes until a group reaches its bound, of the group that has the fewest; undefined without a bound. */
export function groupFreeMemory(read: ReadText): number | undefined {
  return tightest(
    groupFolders('memory', read).map(group => {
      const bound = memoryBound(group, read);
      return bound === undefined ? undefined : Math.max(0, bound - memoryInUse(group, read));
    }),
  );
}

function processorsOf({ version, folder }: GroupFolder, read: ReadText): number | undefined {
  const [quota, period] =
    version === 2
      ? // "200000 100000" or "max 100000": microseconds of time in each period.
        read(`${folder}/cpu.max`).trim().split(' ').map(Number)
      : [Number(read(`${folder}/cpu.cfs_quota_us`)), Number(read(`${folder}/cpu.cfs_period_us`))];
  return isBound(quota) && isBound(period) ? quota / period : undefined;
}

function memoryBound({ version, folder }: GroupFolder, read: ReadText): number | undefined {
  // Above `memory.high` the kernel slows a process down until next to nothing of it runs.
  const files = version === 2 ? ['memory.max', 'memory.high'] : ['memory.limit_in_bytes'];
  return tightest(files.map(file => Number(read(`${folder}/${file}`).trim() || 'max')));
}

/** Without the files that the kernel keeps in memory and would drop: after a long run those alone reach the bound. */
function memoryInUse({ version, folder }: GroupFolder, read: ReadText): number {
  const used = Number(read(`${folder}/${version === 2 ? 'memory.current' : 'memory.usage_in_bytes'}`));
  const field = version === 2 ? 'inactive_file' : 'total_inactive_file';
  const droppable = Number(new RegExp(`^${field} (\\d+)$`, 'm').exec(read(`${folder}/memory.stat`))?.[1] ?? 0);
  return Math.max(0, used - droppable);
}

/** The group of this process and those above it, as far as they can be seen from here, in all hierarchies. */
function groupFolders(controller: string, read: ReadText): readonly GroupFolder[] {
  const mounts = cgroupMounts(read('/proc/self/mountinfo'));
  return read('/proc/self/cgroup')
    .split('\n')
    .flatMap(line => {
      // "4:memory:/path" or "3:cpu,cpuacct:/path" in version 1, "0::/path" in version 2.
      const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
      if (controllers === undefined || path === undefined) return [];
      const version = controllers === '' ? 2 : 1;
      if (version === 1 && !controllers.split(',').includes(controller)) return [];
      const found = mounts.filter(mount => mount.version === version && (version === 2 || mount.has(controller)));
      return found.flatMap(mount => upTo(mount, path).map(folder => ({ version, folder }) as const));
    });
}

interface CgroupMount {
  readonly version: 1 | 2;
  /** The group whose folder the mount point is. */
  readonly root: string;
  readonly point: string;
  has(controller: string): boolean;
}

function cgroupMounts(mountinfo: string): readonly CgroupMount[] {
  return mountinfo.split('\n').flatMap(line => {
    const [left = '', right = ''] = line.split(' - ');
    const [, , , root, point] = left.split(' ').map(unescaped);
    const [type, , options = ''] = right.split(' ');
    if ((type !== 'cgroup' && type !== 'cgroup2') || root === undefined || point === undefined) return [];
    const controllers = options.split(',');
    return [{ version: type === 'cgroup' ? 1 : 2, root, point, has: name => controllers.includes(name) }];
  });
}

/** From the group to the mount point. In a container the mount begins at the container's own group, or shows no path to it. */
function upTo({ root, point }: CgroupMount, path: string): readonly string[] {
  const below = root === '/' ? path : path === root || path.startsWith(`${root}/`) ? path.slice(root.length) : '/';
  const names = posix
    .normalize(`/${below}`)
    .split('/')
    .filter(name => name !== '');
  return Array.from({ length: names.length + 1 }, (_, up) => [point, ...names.slice(0, names.length - up)].join('/'));
}

/** A space in a path is written `\040`. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function tightest(bounds: readonly (number | undefined)[]): number | undefined {
  const known = bounds.filter(isBound);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** -1, "max" and a number near 2 ** 63 stand for no bound. */
function isBound(value: number | undefined): value is number {
  return value !== undefined && value >= 0 && value < 2 ** 62;
}
