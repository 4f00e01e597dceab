// A process that the fuzz can lose: started when it is needed, given one file at a time, killed where it takes too much.
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

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

/** What the process says first: that it has started. */
export interface FuzzStarted {
  readonly startedWithMb: number;
}

/** What the process says to each task. */
export interface FuzzAnswer {
  /** `late` and `failed` also where the process was ended, or ended itself. */
  readonly outcome: string;
  readonly message: string;
  readonly ms: number;
  /** Time of all its threads on the processor. */
  readonly processorMs: number;
  /** The most memory that the process ever had, in MiB. */
  readonly peakMb: number;
}

/** What the process itself never says. */
export type LostAnswer = FuzzAnswer & { readonly outcome: 'late' | 'failed' };

export class FuzzChild<Task, Answer extends FuzzAnswer> {
  readonly #script: string;
  readonly #args: readonly string[];
  readonly #bounds: FuzzBounds;
  #running: Running | undefined;
  readonly #end = (): void => this.end();

  /** @param script answers each message of type Task with one of type Answer, after a FuzzStarted */
  constructor(script: URL, args: readonly string[], bounds: FuzzBounds) {
    this.#script = fileURLToPath(script);
    this.#args = args;
    this.#bounds = bounds;
  }

  /** Whatever happens to the process is an answer. One that is late, too large or dead is ended, and another one starts. */
  async ask(task: Task): Promise<Answer | LostAnswer> {
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
  #answerOf(child: ChildProcess, task: Task): Promise<Answer | string | undefined> {
    return new Promise(resolve => {
      const settle = (answer: Answer | string | undefined): void => {
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
      child.once('message', message => settle(message as Answer));
      // After the channel, in which an answer may still lie.
      child.once('close', (code, signal) => settle(`the process ended by ${signal ?? `exit code ${code}`}`));
      // It died after its last answer, which left something behind.
      child.once('error', error => settle(`the process cannot be asked: ${error.message}`));
      child.send(task as object);
    });
  }

  end(): void {
    this.#running?.child.kill('SIGKILL');
    this.#running = undefined;
    process.off('exit', this.#end);
  }

  #start(): Promise<Running> {
    const child = fork(this.#script, [...this.#args], {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    process.once('exit', this.#end);
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', code => reject(new Error(`Expected ${this.#script} to start but it ended with ${code}`)));
      child.once('message', message => {
        child.removeAllListeners();
        const { startedWithMb } = message as FuzzStarted;
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
