// Starts the compiled command line and the services as processes of their own, and watches what they print: for tests and the chaos.

import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

export interface RunOptions {
  /** Added to an environment without any LAYERTAP_ variable and without REDIS_URL. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** User and group of the process: for what root may do and others may not. */
  readonly user?: number;
}

export interface RunResult {
  /** Exit status; 128 + number of the signal where a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly pid: number;
  readonly ended: Promise<RunResult>;
  kill(signal: NodeJS.Signals): void;
  /** What it has printed so far: standard output, then standard error. */
  output(): string;
  /** Resolves when what it printed matches; rejects when it ends before. */
  says(pattern: RegExp): Promise<void>;
}

export type Program = keyof typeof PROGRAMS;

const PROGRAMS = {
  layertap: '../../dist/cli/src/main.js',
  producer: '../../dist/services/producer/src/main.js',
  worker: '../../dist/services/worker/src/main.js',
} as const;

/** The JSON lines among what was printed; native libraries print others between them on standard error. */
export function jsonLines(text: string): readonly Readonly<Record<string, unknown>>[] {
  return text
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as Record<string, unknown>);
}

/** The end of what it printed, on one line. */
export function lastLines({ stdout, stderr }: RunResult): string {
  return `${stdout}${stderr}`.trim().split('\n').slice(-5).join(' / ');
}

export function programPath(name: Program): string {
  return fileURLToPath(new URL(PROGRAMS[name], import.meta.url));
}

export function startProgram(name: Program, args: readonly string[], options: RunOptions = {}): Running {
  const user = options.user === undefined ? {} : { uid: options.user, gid: options.user };
  const child = spawn(process.execPath, [programPath(name), ...args], {
    cwd: options.cwd,
    env: { ...cleanEnvironment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...user,
  });
  return watch(child);
}

/** Neither the machine's settings nor the test runner's own (its NODE_OPTIONS) may decide what a test sees. */
function cleanEnvironment(): Readonly<Record<string, string | undefined>> {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(LAYERTAP_|VITEST|REDIS_URL$|NODE_OPTIONS$|NODE_ENV$)/.test(name),
  );
  return Object.fromEntries(kept);
}

function watch(child: ChildProcess): Running {
  let stdout = '';
  let stderr = '';
  const watchers = new Set<() => void>();
  const note = (): void => {
    for (const watcher of watchers) watcher();
  };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    note();
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    note();
  });
  const ended = new Promise<RunResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve({ code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]), stdout, stderr });
    });
  });
  const output = (): string => `${stdout}${stderr}`;
  return {
    pid: child.pid ?? 0,
    ended,
    kill: signal => void child.kill(signal),
    output,
    async says(pattern): Promise<void> {
      let watcher: (() => void) | undefined;
      const said = new Promise<true>(resolve => {
        watcher = () => {
          if (pattern.test(output())) resolve(true);
        };
        watchers.add(watcher);
        watcher();
      });
      const found = await Promise.race([said, ended.then(() => pattern.test(output()))]);
      if (watcher !== undefined) watchers.delete(watcher);
      if (!found) throw new Error(`Expected ${pattern} from a process that ended with:\n${output()}`);
    },
  };
}
