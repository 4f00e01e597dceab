// A control group of this machine that a test makes, with bounds of its own. Making one is root's right.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const RUN_MS = 240_000;

export interface RealGroup {
  /** Runs it to its end; the program and all that it starts are in the group. */
  run(program: string, args: readonly string[]): { readonly stdout: string; readonly stderr: string };
}

export interface Bounds {
  readonly processors?: number;
  readonly bytes?: number;
}

/** `depth` groups, one in the other: the outermost has the bounds, the program is in the innermost. Or why there is none. */
export function makeRealGroup(bounds: Bounds, depth: number): RealGroup | { readonly reason: string } {
  const innermost: string[] = [];
  try {
    for (const [controller, files] of filesOf(bounds)) {
      const folders = Array.from({ length: depth }, (_, level) =>
        join(mountOf(controller), ...Array.from({ length: level + 1 }, () => `layertap-test-${process.pid}`)),
      );
      for (const folder of folders) {
        mkdirSync(folder);
        onTestFinished(() => rmdirSync(folder), 10_000);
      }
      for (const [file, text] of files) writeFileSync(join(folders[0] ?? '', file), text);
      innermost.push(join(folders.at(-1) ?? '', 'cgroup.procs'));
    }
  } catch (error) {
    return { reason: `cannot make a control group: ${error instanceof Error ? error.message : error}` };
  }
  return {
    run(program, args) {
      const enter = `${innermost.map(file => `echo $$ > '${file}' && `).join('')}exec "$@"`;
      const ran = spawnSync('sh', ['-c', enter, 'sh', program, ...args], { encoding: 'utf8', timeout: RUN_MS });
      if (ran.status !== 0) throw new Error(`${ran.error?.message ?? ran.stderr}`);
      return { stdout: ran.stdout, stderr: ran.stderr };
    },
  };
}

function filesOf({
  processors,
  bytes,
}: Bounds): readonly (readonly [string, readonly (readonly [string, string])[]])[] {
  const version = isVersionTwo() ? 2 : 1;
  const cpu = `${Math.round((processors ?? 0) * 100_000)}`;
  const files = {
    cpu: version === 2 ? [['cpu.max', `${cpu} 100000`] as const] : [['cpu.cfs_quota_us', cpu] as const],
    memory: [[version === 2 ? 'memory.max' : 'memory.limit_in_bytes', String(bytes)] as const],
  };
  return [
    ...(processors === undefined ? [] : [['cpu', files.cpu] as const]),
    ...(bytes === undefined ? [] : [['memory', files.memory] as const]),
  ];
}

function isVersionTwo(): boolean {
  return / \/sys\/fs\/cgroup .* - cgroup2 /m.test(readFileSync('/proc/self/mountinfo', 'utf8'));
}

function mountOf(controller: string): string {
  return isVersionTwo() ? '/sys/fs/cgroup' : `/sys/fs/cgroup/${controller}`;
}
