// How a command or service starts, stops and ends: two-step shutdown, closers in reverse order, exit status. For main.ts.
import { constants } from 'node:os';
import { fitAdvice, pathAdvice } from './advice.ts';
import { Refusal } from './errors.ts';

export interface LifecycleOptions {
  /** Called at the first signal: say that the shard in hand is being finished. */
  readonly onFirst?: (signal: NodeJS.Signals) => void;
  /** Called at the second signal. */
  readonly onSecond?: (signal: NodeJS.Signals) => void;
  /** @default ['SIGINT', 'SIGTERM'] */
  readonly signals?: readonly NodeJS.Signals[];
  /** Time for everything to close after the second signal; then the process ends regardless. @default 10000 */
  readonly leaveTimeoutMs?: number;
}

export interface Lifecycle {
  /** Aborted by the first signal: finish the shard in hand, begin no other. */
  readonly stopping: AbortSignal;
  /** Aborted by the second signal: leave at once. A third ends the process without another word. */
  readonly leaving: AbortSignal;
  /** Runs when main has ended, in whatever way; the last one deferred runs first. */
  defer(close: () => void | Promise<void>): void;
  /**
   * Runs the whole program once: an error goes to standard error (a Refusal in a line or two, a bug with its stack),
   * then the closers run, then the exit status is set: the number that main returns, else 128 + number of the signal
   * that stopped it, else what its error asks for, else 0.
   */
  run(main: (() => Promise<number | undefined>) | (() => Promise<void>)): Promise<void>;
}

export function createLifecycle(options: LifecycleOptions = {}): Lifecycle {
  const { signals = ['SIGINT', 'SIGTERM'], leaveTimeoutMs = 10_000 } = options;
  const stopping = new AbortController();
  const leaving = new AbortController();
  const closers: (() => void | Promise<void>)[] = [];
  let stoppedBy: NodeJS.Signals | undefined;

  function onSignal(signal: NodeJS.Signals): void {
    if (stoppedBy === undefined) {
      stoppedBy = signal;
      options.onFirst?.(signal);
      stopping.abort(new Refusal('interrupted', `Stopped by ${signal}`));
    } else if (!leaving.signal.aborted) {
      options.onSecond?.(signal);
      leaving.abort(new Refusal('interrupted', `Stopped by ${signal}`));
      // Something that does not close must not keep a user who asked twice.
      setTimeout(() => process.exit(statusOf(signal)), leaveTimeoutMs).unref();
    } else {
      process.exit(statusOf(signal));
    }
  }

  /** Once, even where a closer throws: the others still run. */
  async function closeAll(): Promise<number | undefined> {
    let status: number | undefined;
    for (let close = closers.pop(); close !== undefined; close = closers.pop()) {
      try {
        await close();
      } catch (error) {
        status = report(error);
      }
    }
    return status;
  }

  for (const signal of signals) process.on(signal, onSignal);

  return {
    stopping: stopping.signal,
    leaving: leaving.signal,
    defer: close => void closers.push(close),
    async run(main): Promise<void> {
      let status: number | undefined;
      try {
        status = (await main()) ?? undefined;
      } catch (error) {
        status = report(error);
        if (stoppedBy !== undefined) status = statusOf(stoppedBy);
      }
      const closeStatus = await closeAll();
      if (stoppedBy !== undefined) status ??= statusOf(stoppedBy);
      process.exitCode = status ?? closeStatus ?? 0;
      // Whoever asked twice does not wait for a timer or a socket that somebody forgot.
      if (leaving.signal.aborted) process.exit();
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}

/** Writes the error for its reader and returns the exit status that it asks for. */
function report(error: unknown): number {
  if (error instanceof Refusal) {
    const lines = [error.message, error.hint, pathAdvice(error)].filter(line => line !== undefined);
    process.stderr.write(`${fitAdvice(lines.join('\n'))}\n`);
    return error.exitCode;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const cause = error instanceof Error && error.cause !== undefined ? `\ncaused by: ${describeCause(error.cause)}` : '';
  process.stderr.write(`${text}${cause}\n`);
  return 1;
}

function describeCause(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}

/** The shell's convention: 130 for SIGINT, 143 for SIGTERM. */
function statusOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
