// A file system of a few megabytes in memory, for tests that fill a disk. Mounting one is root's right.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Path of its root, or the reason why there is none; gone at the end of the test. */
export function mountSmallDisk(megabytes: number): { readonly path: string } | { readonly reason: string } {
  const path = mkdtempSync(join(tmpdir(), 'layertap-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path], { encoding: 'utf8' });
  if (mounted.status !== 0) {
    rmdirSync(path);
    return { reason: `cannot mount a small disk: ${mounted.error?.message ?? mounted.stderr.trim()}` };
  }
  onTestFinished(() => {
    spawnSync('umount', ['--lazy', path]);
    rmdirSync(path);
  });
  return { path };
}
