// Runs one program to its end, bounded in time and output, for every piece of the set-up that calls pip, a compiler or apt.

import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';
import { childEnvironment, setupConfig } from './config.ts';

export interface CommandOptions {
  /** The program is killed after this time. @default 600000 */
  readonly timeoutMs?: number;
  /** @default the caller's working directory */
  readonly cwd?: string;
  /** Variables on top of this process' own; undefined removes one. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Text for the program's standard input. @default none */
  readonly input?: string;
  /** Gets what the program writes as it comes, on either stream. @default nothing does */
  readonly onOutput?: (chunk: Buffer) => void;
}

export interface CommandResult {
  readonly ok: boolean;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  /** True where there is no such program. */
  readonly missing: boolean;
}

/** Bytes kept of each stream: the last ones, where a program's reason to fail stands. */
const KEPT_CHARACTERS = 4_000_000;

export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise(resolve => {
    const child = spawn(command, [...args], {
      cwd: options.cwd,
      env: childEnvironment(options.env),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const stdout = collect(child.stdout, options.onOutput);
    const stderr = collect(child.stderr, options.onOutput);
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
      // A grandchild may hold the pipes open: without this the promise would wait for it.
      child.stdout.destroy();
      child.stderr.destroy();
    }, options.timeoutMs ?? 600_000);
    child.stdin.on('error', () => {}); // A program may end without reading its input.
    child.stdin.end(options.input ?? '');
    child.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const missing = error.code === 'ENOENT' || error.code === 'EACCES';
      resolve({ ok: false, code: null, signal: null, stdout: '', stderr: error.message, timedOut, missing });
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({
        ok: code === 0,
        code,
        signal,
        stdout: stdout(),
        stderr: stderr(),
        timedOut,
        missing: false,
      });
    });
  });
}

/** How a failed command ended, with the last line it wrote, for a message. */
export function describeFailure(command: string, result: CommandResult): string {
  if (result.missing) return `there is no program \`${command}\``;
  const lines = `${result.stdout}\n${result.stderr}`.split('\n').map(line => line.trim());
  const told = lines.filter(line => /^error/i.test(line)).at(-1) ?? lines.filter(line => line !== '').at(-1);
  const end = result.timedOut
    ? 'ran past its time limit'
    : result.signal
      ? `ended by ${result.signal}`
      : `ended with status ${result.code}`;
  return `\`${command}\` ${end}${told ? `: ${told.slice(0, 300)}` : ''}`;
}

/** The full path of a program on PATH, or undefined. */
export function findProgram(name: string, path: readonly string[] = setupConfig().path): string | undefined {
  for (const folder of name.includes('/') ? [''] : path) {
    const candidate = folder === '' ? name : join(folder, name);
    try {
      accessSync(candidate, constants.X_OK);
      if (statSync(candidate).isFile()) return candidate;
    } catch {
      // Not in this folder: the next one may have it.
    }
  }
  return undefined;
}

function collect(stream: ChildProcess['stdout'], onOutput: CommandOptions['onOutput']): () => string {
  const chunks: Buffer[] = [];
  let held = 0;
  stream?.on('data', (chunk: Buffer) => {
    onOutput?.(chunk);
    chunks.push(chunk);
    held += chunk.length;
    while (held > KEPT_CHARACTERS && chunks.length > 1) held -= chunks.shift()?.length ?? 0;
  });
  return () => Buffer.concat(chunks).toString('utf8');
}
