// A world without a network, made of Linux namespaces: what programs try to reach in it, and which files they leave. For the
// test that nothing leaves the machine. Needs no package and no root where users may make namespaces.
import { spawn, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from './temporary-folder.ts';

export interface SilentStep {
  /** Of Node. `{home}`, `{tmp}`, `{cwd}`, `{out}` and `{cache}` stand for the chain's own folders. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Its exit code. @default 0 */
  readonly ends?: number;
  /** Runs on beside the steps after it, and is told to end (SIGTERM) when these are done. */
  readonly keep?: true;
  /** What one that is kept prints when the next step may begin. */
  readonly says?: string;
}

export interface SilentChain {
  readonly name: string;
  readonly home: 'writable' | 'read-only';
  /** All that its processes find in their environment beside PATH, HOME and TMPDIR. */
  readonly env?: Readonly<Record<string, string>>;
  readonly steps: readonly SilentStep[];
  /** How long what is kept stays after the last step. @default 0 */
  readonly seconds?: number;
  /** A name: it stays no longer once that was looked up. */
  readonly until?: string;
}

export interface SilentReport {
  /** Names that were looked up. */
  readonly queries: readonly string[];
  /** Attempts to reach what is not there, by kind, as the kernel counts them. */
  readonly attempts: Readonly<Record<string, number>>;
  /** Written outside of the chains' folders. */
  readonly strays: readonly string[];
  readonly chains: readonly {
    readonly name: string;
    readonly results: readonly {
      readonly args: readonly string[];
      /** Exit code or signal. */
      readonly end: number | string;
      readonly output: string;
    }[];
    /** Files in the chain's home, temporary folder and working directory. */
    readonly left: readonly string[];
  }[];
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const WORLD = fileURLToPath(new URL('silent-world.mjs', import.meta.url));
const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
/** No step takes longer: it is killed, and its end is the signal. */
const STEP_SECONDS = 300;
const STEPS_AT_ONCE = 3;
const AS_ROOT = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];

/** Why this machine cannot make such a world; undefined where it can. */
export function silentWorldMissing(): string | undefined {
  try {
    createRequire(import.meta.url).resolve('koffi');
  } catch {
    return 'no koffi, which is an optional package';
  }
  const script =
    'mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w && mount -t overlay overlay -o lowerdir=/tmp,upperdir=/mnt/u,workdir=/mnt/w /tmp';
  const tried = spawnSync('unshare', [...AS_ROOT, ...NAMESPACES, 'sh', '-c', script], { encoding: 'utf8' });
  if (tried.error) return 'no `unshare`';
  return tried.status === 0 ? undefined : `no namespaces: ${tried.stderr.trim()}`;
}

/** @param redis address of the server that is 127.0.0.1:6379 in there */
export async function runSilently(chains: readonly SilentChain[], redis: string): Promise<SilentReport> {
  const folder = await temporaryFolder();
  const redisSocket = join(folder, 'redis.sock');
  await openDoor(redisSocket, new URL(redis));
  const plan = join(folder, 'plan.json');
  await writeFile(
    plan,
    JSON.stringify({ root: ROOT, redisSocket, stepSeconds: STEP_SECONDS, atOnce: STEPS_AT_ONCE, chains }),
  );
  const child = spawn('unshare', [...AS_ROOT, ...NAMESPACES, process.execPath, WORLD, plan], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL')); // And with it every process of that world.
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  await new Promise(resolve => child.once('close', resolve));
  if (stdout === '') throw new Error(`Expected a report but received:\n${stderr}`);
  return JSON.parse(stdout) as SilentReport;
}

async function openDoor(path: string, { hostname, port }: URL): Promise<void> {
  const server = createServer(inside => {
    const outside = connect(Number(port), hostname);
    inside.on('error', () => outside.destroy()).pipe(outside);
    outside.on('error', () => inside.destroy()).pipe(inside);
  });
  await new Promise<void>(resolve => server.listen(path, resolve));
  onTestFinished(() => void server.close());
}
