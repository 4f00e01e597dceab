// Progress of a run for a person at a terminal (a bar), in a log (plain lines) or for a program (JSON lines).
import type { ShardProgress } from '../../services/worker/src/worker-messages.ts';

export interface Progress {
  add(progress: Pick<ShardProgress, 'shard' | 'attempt' | 'rows' | 'failed'>): void;
  /** Ends the bar's line, so that other text can follow; the bar goes on below it. */
  interrupt(): void;
  /** Shows how far it came, and ends the bar's line. */
  end(): void;
}

export interface ProgressOptions {
  readonly total: number;
  /** Rows that were done before this command began. */
  readonly done: number;
  readonly json: boolean;
  /** Where to write. @default process.stderr */
  readonly stream?: NodeJS.WriteStream;
  /** Milliseconds since any fixed moment. @default performance.now */
  readonly now?: () => number;
}

const BAR_INTERVAL_MS = 100;
const LINE_INTERVAL_MS = 5_000;
const BAR_WIDTH = 24;

export function showProgress(options: ProgressOptions): Progress {
  const stream = options.stream ?? process.stderr;
  const now = options.now ?? ((): number => performance.now());
  const bar = stream.isTTY && !options.json;
  const interval = bar ? BAR_INTERVAL_MS : LINE_INTERVAL_MS;
  const started = now();
  let last = bar ? Number.NEGATIVE_INFINITY : started;
  let done = options.done;
  let failed = 0;
  const shards = new Map<number, { readonly attempt: number; rows: number; failed: number }>();

  function show(): void {
    const seconds = Math.max(0.001, (now() - started) / 1000);
    const rate = (done - options.done) / seconds;
    const left = rate > 0 ? (options.total - done) / rate : Number.NaN;
    if (options.json) {
      const line = {
        event: 'progress',
        done,
        total: options.total,
        failed,
        imagesPerSecond: round(rate),
        secondsLeft: round(left),
      };
      stream.write(`${JSON.stringify(line)}\n`);
      return;
    }
    const text = `${done}/${options.total} images  ${rate.toFixed(1)}/s  ${formatDuration(left)} left  ${failed} failed`;
    if (!bar) {
      stream.write(`${text}\n`);
      return;
    }
    const filled =
      options.total === 0 ? BAR_WIDTH : Math.round((Math.min(done, options.total) / options.total) * BAR_WIDTH);
    stream.write(`\r${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)} ${text}\u001b[K`);
  }

  return {
    add(progress): void {
      const before = shards.get(progress.shard);
      const again = before !== undefined && before.attempt !== progress.attempt;
      // An attempt that failed has counted its rows already.
      done += progress.rows - (again ? before.rows : 0);
      failed += progress.failed - (again ? before.failed : 0);
      const same = before !== undefined && !again ? before : { rows: 0, failed: 0 };
      shards.set(progress.shard, {
        attempt: progress.attempt,
        rows: same.rows + progress.rows,
        failed: same.failed + progress.failed,
      });
      if (now() - last < interval) return;
      last = now();
      show();
    },
    interrupt(): void {
      if (bar) stream.write('\n');
    },
    end(): void {
      show();
      if (bar) stream.write('\n');
    },
  };
}

/** `1h 02m`, `3m 20s`, `12s`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '…';
  const whole = Math.round(seconds);
  if (whole >= 3600) return `${Math.floor(whole / 3600)}h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')}m`;
  if (whole >= 60) return `${Math.floor(whole / 60)}m ${String(whole % 60).padStart(2, '0')}s`;
  return `${whole}s`;
}

function round(value: number): number | null {
  return Number.isFinite(value) ? Math.round(value * 10) / 10 : null;
}
