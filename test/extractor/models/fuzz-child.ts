// A process that the fuzz can lose: started when it is needed, given one model at a time, killed where it takes too much.
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { EngineName } from '../../../shared/src/request.ts';
import type { FuzzAnswer, FuzzMessage, FuzzTask } from './fuzz-process.ts';

export interface FuzzBounds {
  /** For one task, in time that the process spends on the processor. Its start is not counted. */
  readonly limitMs: number;
  /** Memory by which the process may grow from its start on. */
  readonly growthMb: number;
}

/** On a loaded machine a process waits more than it works: it is late by the clock only after so many times its limit. */
const CLOCK_FACTOR = 10;

interface Running {
  readonly child: ChildProcess;
  readonly startedWithMb: number;
}

export class FuzzChild {
  readonly #engine: EngineName | undefined;
  readonly #bounds: FuzzBounds;
  #running: Running | undefined;
  readonly #end = (): void => this.end();

  /** @param engine undefined for a user's process, which has none */
  constructor(engine: EngineName | undefined, bounds: FuzzBounds) {
    this.#engine = engine;
    this.#bounds = bounds;
  }

  /** Whatever happens to the process is an answer. One that is late, too large or dead is ended, and another one starts. */
  async ask(task: FuzzTask): Promise<FuzzAnswer> {
    this.#running ??= await this.#start();
    const { child, startedWithMb } = this.#running;
    const answer = await this.#answerOf(child, task);
    const lost = { ms: 0, processorMs: 0, peakMb: startedWithMb };
    if (typeof answer === 'string' || answer === undefined) {
      this.end();
      if (answer !== undefined) return { ...lost, outcome: 'failed', message: answer };
      return { ...lost, outcome: 'late', message: `it takes longer than ${this.#bounds.limitMs / 1000} s` };
    }
    const grownMb = answer.peakMb - startedWithMb;
    if (grownMb <= this.#bounds.growthMb) return answer;
    this.end();
    return { ...answer, outcome: 'failed', message: `the process grew by ${grownMb} MiB` };
  }

  /** The answer, or how the process died before it; undefined after the limit. */
  #answerOf(child: ChildProcess, task: FuzzTask): Promise<FuzzAnswer | string | undefined> {
    return new Promise(resolve => {
      const settle = (answer: FuzzAnswer | string | undefined): void => {
        clearTimeout(timer);
        child.removeAllListeners();
        resolve(answer);
      };
      const { limitMs } = this.#bounds;
      const began = { atMs: performance.now(), processorMs: processorMs(child) ?? 0 };
      const look = (): void => {
        const left = limitMs - ((processorMs(child) ?? Number.POSITIVE_INFINITY) - began.processorMs);
        if (left <= 0 || performance.now() - began.atMs >= CLOCK_FACTOR * limitMs) settle(undefined);
        else timer = setTimeout(look, Math.max(100, left / 2));
      };
      let timer = setTimeout(look, limitMs);
      child.once('message', message => settle(message as FuzzAnswer));
      // After the channel, in which an answer may still lie.
      child.once('close', (code, signal) => settle(`the process ended by ${signal ?? `exit code ${code}`}`));
      // It died after its last answer, which left something behind.
      child.once('error', error => settle(`the process cannot be asked: ${error.message}`));
      child.send(task);
    });
  }

  end(): void {
    this.#running?.child.kill('SIGKILL');
    this.#running = undefined;
    process.off('exit', this.#end);
  }

  #start(): Promise<Running> {
    const script = fileURLToPath(new URL('fuzz-process.ts', import.meta.url));
    const child = fork(script, [this.#engine ?? ''], {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    process.once('exit', this.#end);
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', code => reject(new Error(`Expected ${script} to start but it ended with ${code}`)));
      child.once('message', message => {
        child.removeAllListeners();
        const { startedWithMb } = message as Extract<FuzzMessage, { startedWithMb: number }>;
        resolve({ child, startedWithMb });
      });
    });
  }
}

/** Time that a process has spent on the processor so far; undefined where the system does not tell. */
function processorMs({ pid }: ChildProcess): number | undefined {
  try {
    // Behind the name in brackets, the 12th and 13th field are ticks of 10 ms: proc(5).
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return 10 * (Number(fields[11]) + Number(fields[12]));
  } catch {
    return undefined;
  }
}
