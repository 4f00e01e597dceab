// Waits for a condition of another process that tells nobody: a file, an entry in /proc, a count in Redis.

import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 5;
/** Far above what any of them takes: it only ends a test that has failed. */
const BOUND_MS = 120_000;

/** Resolves to the first value that is neither undefined nor false; rejects after a bound, naming what was awaited. */
export async function waitUntil<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const end = performance.now() + BOUND_MS;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > end) throw new Error(`Waited in vain until ${what}`);
    await pause(POLL_MS);
  }
}
