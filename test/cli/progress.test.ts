// The progress of a run as a person, a log and a program see it.

import { describe, expect, it } from 'vitest';
import { formatDuration, showProgress } from '../../cli/src/progress.ts';
import { formatBytes } from '../../shared/src/byte-size.ts';

interface Watched {
  readonly lines: readonly string[];
  readonly progress: ReturnType<typeof showProgress>;
  /** Lets that many seconds pass. */
  wait(seconds: number): void;
}

function watch(options: { isTTY: boolean; json?: boolean; total?: number; done?: number }): Watched {
  const lines: string[] = [];
  let now = 0;
  const stream = { isTTY: options.isTTY, write: (text: string) => lines.push(text) > 0 };
  const progress = showProgress({
    total: options.total ?? 100,
    done: options.done ?? 0,
    json: options.json ?? false,
    stream: stream as unknown as NodeJS.WriteStream,
    now: () => now,
  });
  return {
    lines,
    progress,
    wait: seconds => {
      now += seconds * 1000;
    },
  };
}

const batch = (shard: number, rows: number, failed = 0, attempt = 1) => ({ shard, attempt, rows, failed });

describe('progress', () => {
  it('is a bar at a terminal, with rows, rate, time left and failures', () => {
    const { lines, progress, wait } = watch({ isTTY: true });
    wait(2);
    progress.add(batch(0, 25, 1));
    expect(lines[0]).toContain(`\r${'█'.repeat(6)}${'░'.repeat(18)} 25/100 images  12.5/s  6s left  1 failed`);
    progress.end();
    expect(lines.at(-1)).toBe('\n');
  });

  it('is a line now and then where nobody looks, and one at the end', () => {
    const { lines, progress, wait } = watch({ isTTY: false });
    for (let second = 0; second < 20; second++) {
      wait(1);
      progress.add(batch(second, 5));
    }
    expect(lines).toHaveLength(4);
    progress.end();
    expect(lines.at(-1)).toBe('100/100 images  5.0/s  0s left  0 failed\n');
  });

  it('is a JSON object a line for a program', () => {
    const { lines, progress, wait } = watch({ isTTY: true, json: true });
    wait(10);
    progress.add(batch(0, 50, 2));
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      event: 'progress',
      done: 50,
      total: 100,
      failed: 2,
      imagesPerSecond: 5,
      secondsLeft: 10,
    });
  });

  it('counts what was done before, but not as its own speed', () => {
    const { lines, progress, wait } = watch({ isTTY: false, done: 80 });
    wait(10);
    progress.add(batch(8, 10));
    expect(lines[0]).toBe('90/100 images  1.0/s  10s left  0 failed\n');
  });

  it('counts the rows of a shard that is tried again once', () => {
    const { lines, progress, wait } = watch({ isTTY: false });
    progress.add(batch(0, 40, 3));
    progress.add(batch(1, 10, 1, 1));
    progress.add(batch(1, 10, 0, 1));
    for (const attempt of [2, 3]) {
      progress.add(batch(1, 10, 1, attempt));
      progress.add(batch(1, 10, 0, attempt));
    }
    wait(10);
    progress.end();
    expect(lines.at(-1)).toContain('60/100 images');
    expect(lines.at(-1)).toContain('4 failed');
  });
});

it.each([
  [0.4, '0s'],
  [59.4, '59s'],
  [200, '3m 20s'],
  [3720, '1h 02m'],
  [Number.NaN, '…'],
])('%d seconds read as %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

it.each([
  [0, '0 bytes'],
  [999, '999 bytes'],
  [1500, '1.5 kB'],
  [2_000_000, '2.0 MB'],
])('%d bytes read as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
