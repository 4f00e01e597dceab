// A lock between processes that share the cache, so that two of them never fetch or build the same thing at once.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, readFile, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeFolders } from '../../shared/src/make-folders.ts';

export interface LockOptions {
  /** How long another holder is waited for. @default 1200000 */
  readonly waitMs?: number;
  /** How often a held lock is looked at again. @default 200 */
  readonly pollMs?: number;
  /** Called once, when the lock is held by another process. */
  readonly onWait?: (holder: string) => void;
}

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Start time of the process in clock ticks since boot, so that a reused pid isn't taken for the holder. */
  readonly started: string | undefined;
  readonly nonce: string;
}

/** A holder on another host can't be asked whether it lives: it touches the file this often, and is dead after `SILENT_MS`. */
const HEARTBEAT_MS = 10_000;
const SILENT_MS = 60_000;
/** The takeover of a dead holder's lock lasts microseconds; one this old was left by a process that died in it. */
const TAKEOVER_MS = 30_000;

/** Runs `work` while holding the lock file at `path`. A dead holder's lock is taken over. */
export async function withLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  await makeFolders(dirname(path));
  const holder: Holder = {
    pid: process.pid,
    host: hostname(),
    started: processStart(process.pid),
    nonce: randomBytes(8).toString('hex'),
  };
  const deadline = Date.now() + (options.waitMs ?? 1_200_000);
  let told = false;
  while (!(await tryAcquire(path, holder))) {
    const current = await readHolder(path);
    if (current && (await isDead(path, current))) {
      await takeOver(path);
      continue;
    }
    const name = current ? `process ${current.pid} on ${current.host}` : 'another process';
    if (Date.now() > deadline) {
      throw new Error(
        `Expected the lock ${path} to become free but ${name} still holds it; wait for it, or remove the file if it is gone`,
      );
    }
    if (!told) options.onWait?.(name);
    told = true;
    await delay(options.pollMs ?? 200);
  }
  const heartbeat = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), HEARTBEAT_MS);
  heartbeat.unref();
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    if ((await readHolder(path))?.nonce === holder.nonce) await unlink(path).catch(() => {});
  }
}

/** Creates the lock file with its whole content in one step: nobody ever reads a half-written holder. */
async function tryAcquire(path: string, holder: Holder): Promise<boolean> {
  const draft = `${path}.${holder.nonce}`;
  await writeFile(draft, JSON.stringify(holder));
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new Error(`Expected to create the lock ${path} but could not; check that its folder is writable`, {
      cause: error,
    });
  } finally {
    await unlink(draft).catch(() => {});
  }
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch {
    return undefined; // Released meanwhile: the next attempt decides.
  }
}

async function isDead(path: string, holder: Holder): Promise<boolean> {
  if (holder.host !== hostname()) {
    const touched = await stat(path).then(
      found => found.mtimeMs,
      () => Date.now(),
    );
    return Date.now() - touched > SILENT_MS;
  }
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  return holder.started !== undefined && processStart(holder.pid) !== holder.started;
}

/** Removes a dead holder's lock. The guard makes look-and-remove one step, so that a fresh lock is never removed. */
async function takeOver(path: string): Promise<void> {
  const guard = `${path}.takeover`;
  try {
    await writeFile(guard, String(process.pid), { flag: 'wx' });
  } catch {
    const age = await stat(guard).then(
      found => Date.now() - found.mtimeMs,
      () => 0,
    );
    if (age > TAKEOVER_MS) await unlink(guard).catch(() => {});
    await delay(20);
    return;
  }
  try {
    const current = await readHolder(path);
    if (current && (await isDead(path, current))) await unlink(path);
  } finally {
    await unlink(guard).catch(() => {});
  }
}

function processStart(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return fields.slice(fields.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined; // No /proc here (macOS): the pid alone must do.
  }
}
