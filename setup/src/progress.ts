// Shows how far a download or an unpacking has come: a bar on a terminal, a few plain lines where output is piped.

import type { WriteStream } from 'node:tty';
import { folderBytes } from './cache.ts';

export interface Progress {
  update(bytes: number): void;
  /** Ends the bar's line; later updates are ignored. */
  close(): void;
}

export interface ProgressOptions {
  readonly label: string;
  /** Expected size; without it only the bytes are shown. */
  readonly totalBytes?: number | undefined;
  /** @default process.stderr */
  readonly stream?: NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>;
}

const BAR_WIDTH = 30;
const REDRAW_MS = 100;
/** Piped output gets one line per quarter, so that a log stays short. */
const PLAIN_STEPS = 4;

export function openProgress(options: ProgressOptions): Progress {
  const stream = options.stream ?? process.stderr;
  const total = options.totalBytes;
  const started = Date.now();
  let drawnAt = 0;
  let step = 0;
  let open = true;
  const drawBar = (bytes: number): void => {
    const share = total ? Math.min(1, bytes / total) : 0;
    const filled = Math.round(share * BAR_WIDTH);
    const bar = total ? `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ` : '';
    const line = `${options.label} ${bar}${amount(bytes, total)}, ${rate(bytes, started)}`;
    stream.write(`\r${line.slice(0, (stream.columns ?? 100) - 1)}\u001b[K`);
  };
  return {
    update(bytes) {
      if (!open) return;
      if (stream.isTTY) {
        if (Date.now() - drawnAt < REDRAW_MS && bytes !== total) return;
        drawnAt = Date.now();
        drawBar(bytes);
      } else if (total && bytes > 0) {
        const reached = Math.min(PLAIN_STEPS, Math.floor((bytes / total) * PLAIN_STEPS));
        if (reached > step) stream.write(`${options.label} ${amount(bytes, total)}, ${rate(bytes, started)}\n`);
        step = Math.max(step, reached);
      }
    },
    close() {
      if (open && stream.isTTY && drawnAt > 0) stream.write('\r\u001b[K');
      open = false;
    },
  };
}

/** Reports the growing size of a folder that another program fills, until `work` ends. */
export async function watchFolder<T>(folder: string, options: ProgressOptions, work: () => Promise<T>): Promise<T> {
  const progress = openProgress(options);
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void folderBytes(folder).then(bytes => {
      progress.update(bytes);
      looking = false;
    });
  }, 250);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    progress.close();
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

function amount(bytes: number, total: number | undefined): string {
  if (!total) return megabytes(bytes);
  return `${String(Math.min(100, Math.floor((bytes / total) * 100))).padStart(3)} % of ${megabytes(total)}`;
}

function rate(bytes: number, started: number): string {
  const seconds = Math.max(0.001, (Date.now() - started) / 1000);
  return `${megabytes(bytes / seconds)}/s`;
}
