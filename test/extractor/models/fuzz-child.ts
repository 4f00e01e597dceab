// A process that the fuzz can lose: started when it is needed, given one model at a time, killed where it takes too much.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { EngineName } from '../../../shared/src/request.ts';
import type { FuzzAnswer, FuzzMessage, FuzzTask } from './fuzz-process.ts';

export interface FuzzBounds {
  /** Time for one task; the start of the process is not counted. */
  readonly limitMs: number;
  /** Memory by which the process may grow from its start on. */
  readonly growthMb: number;
}

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

  /** Whatever happens to the process is an answer: `failed` where it is out of bounds or dead. Another one starts then. */
  async ask(task: FuzzTask): Promise<FuzzAnswer> {
    this.#running ??= await this.#start();
    const { child, startedWithMb } = this.#running;
    const started = performance.now();
    const answer = await this.#answerOf(child, task);
    const grownMb = typeof answer === 'string' ? 0 : answer.peakMb - startedWithMb;
    if (typeof answer !== 'string' && grownMb <= this.#bounds.growthMb) return answer;
    this.end();
    const message = typeof answer === 'string' ? answer : `the process grew by ${grownMb} MiB`;
    return { outcome: 'failed', message, ms: performance.now() - started, peakMb: startedWithMb + grownMb };
  }

  /** The answer, or how there came none. */
  #answerOf(child: ChildProcess, task: FuzzTask): Promise<FuzzAnswer | string> {
    const { limitMs } = this.#bounds;
    return new Promise(resolve => {
      const timer = setTimeout(() => settle(`it took longer than ${limitMs / 1000} s`), limitMs);
      const settle = (answer: FuzzAnswer | string): void => {
        clearTimeout(timer);
        child.removeAllListeners();
        resolve(answer);
      };
      child.once('message', message => settle(message as FuzzAnswer));
      // After the channel, in which an answer may still lie.
      child.once('close', (code, signal) => settle(`the process ended by ${signal ?? `exit code ${code}`}`));
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
