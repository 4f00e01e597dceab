// Runs one program to its end and tells its wall time and the peak memory of every process of its tree. For all contestants.
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { childEnvironment } from '../setup/src/config.ts';

export interface ProcessPeak {
  /** 0 for the program itself, 1 for its children. */
  readonly depth: number;
  /** Peak resident memory. */
  readonly bytes: number;
}

export interface MeasuredProcess {
  /** From the start to the end of the process. */
  readonly wallSeconds: number;
  readonly stdout: string;
  /** The largest process of each depth; empty where the system has no /proc. */
  readonly peaks: readonly ProcessPeak[];
}

export interface MeasureOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** On top of this process' own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Kills the program. */
  readonly signal: AbortSignal;
  /** Asks a program that runs until it is stopped to end. @default it ends by itself */
  readonly stop?: AbortSignal;
}

/** The kernel keeps each process' peak, so a sample only has to come before its end. */
const SAMPLE_MS = 250;
const KEPT_CHARACTERS = 4000;

/** Rejects, with the end of what it wrote to standard error, when the program fails. */
export async function measureProcess(options: MeasureOptions): Promise<MeasuredProcess> {
  options.signal.throwIfAborted();
  const started = performance.now();
  const child = spawn(options.command, [...options.args], {
    env: childEnvironment(options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  options.signal.addEventListener('abort', kill, { once: true });
  options.stop?.addEventListener('abort', () => child.kill('SIGTERM'), { once: true });
  const peaks = new Map<number, ProcessPeak>();
  const sampler = setInterval(() => samplePeaks(child, peaks), SAMPLE_MS);
  try {
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-KEPT_CHARACTERS);
    });
    const how = await ended(child);
    options.signal.throwIfAborted();
    const wallSeconds = (performance.now() - started) / 1000;
    if (how !== 'exit code 0') throw new Error(`${options.command} ended with ${how}:\n${stderr}`);
    return { wallSeconds, stdout, peaks: largestOfEachDepth([...peaks.values()]) };
  } finally {
    clearInterval(sampler);
    options.signal.removeEventListener('abort', kill);
  }
}

/** The JSON of the last line that a program printed. */
export function lastLine(stdout: string): unknown {
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

function ended(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
}

/** Reads at once, not in threads of its own: these would take 1 % of two processors from what is measured. */
function samplePeaks(child: ChildProcess, peaks: Map<number, ProcessPeak>): void {
  if (child.pid === undefined) return;
  let level: readonly number[] = [child.pid];
  for (let depth = 0; level.length > 0; depth++) {
    for (const pid of level) {
      const bytes = peakBytes(pid);
      if (bytes !== undefined) peaks.set(pid, { depth, bytes });
    }
    level = level.flatMap(childrenOf);
  }
}

/** Undefined for a process that has ended, and where there is no /proc. */
function peakBytes(pid: number): number | undefined {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(contentOf(`/proc/${pid}/status`))?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

function childrenOf(pid: number): readonly number[] {
  return threadsOf(pid).flatMap(thread =>
    contentOf(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function largestOfEachDepth(peaks: readonly ProcessPeak[]): readonly ProcessPeak[] {
  const depths = [...new Set(peaks.map(({ depth }) => depth))].sort((a, b) => a - b);
  return depths.map(depth => ({
    depth,
    bytes: Math.max(...peaks.filter(peak => peak.depth === depth).map(({ bytes }) => bytes)),
  }));
}
