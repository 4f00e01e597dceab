// Bounds the decoded pixels that all threads of a decode pool hold at a time. For decode-pool.ts and decode-thread.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import type { PixelBudget } from '../../../extractor/src/preprocess.ts';
import { garbageCollector } from './collect-garbage.ts';

/** One thread's part in the budget: counters in shared memory, so it can be sent to the thread. */
export interface PixelShare {
  readonly total: number;
  /** Pixels that nobody holds: the same counter in all shares of a budget. */
  readonly free: Int32Array;
  /** Pixels that this thread holds. */
  readonly held: Int32Array;
}

/** Whoever waits does so for the decoding of a large image, which takes a hundred times as long. */
const LOOK_AGAIN_MS = 10;

/** A thread collects its garbage when so many pixels of it have been given back: until then they are not counted, but there. */
const COLLECT_AFTER_PIXELS = 16 * 1024 * 1024;

/** A maker of shares in `total` pixels, one for each thread. */
export function createPixelShares(total: number): () => PixelShare {
  const free = sharedCounter(total);
  return () => ({ total, free, held: sharedCounter(0) });
}

/**
 * The thread's side. An image of more than the total takes all of it, so it is decoded alone.
 * There is no order among those who wait: a large image may be passed by smaller ones until their batches are through.
 */
export function openPixelBudget(share: PixelShare): PixelBudget {
  const { total, free, held } = share;
  const collect = garbageCollector();
  let garbage = 0;
  return {
    async take(pixels): Promise<(isGarbage: boolean) => void> {
      const cost = Math.min(pixels, total);
      while (!subtract(free, cost)) await sleep(LOOK_AGAIN_MS);
      Atomics.add(held, 0, cost);
      const giveBack = (): void => {
        Atomics.sub(held, 0, cost);
        Atomics.add(free, 0, cost);
      };
      return isGarbage => {
        if (!isGarbage) return giveBack();
        garbage += cost;
        if (garbage < COLLECT_AFTER_PIXELS) return giveBack();
        garbage = 0;
        // The caller still refers to the pixels; and the memory of what was collected is freed a turn later.
        setImmediate(() => {
          collect();
          setImmediate(giveBack);
        });
      };
    },
  };
}

/** The pool's side, once a thread has ended: what it died with goes back to the others. */
export function returnShare({ free, held }: PixelShare): void {
  Atomics.add(free, 0, Atomics.exchange(held, 0, 0));
}

/** False when less than `amount` is there: then nothing is taken. */
function subtract(counter: Int32Array, amount: number): boolean {
  for (;;) {
    const before = Atomics.load(counter, 0);
    if (before < amount) return false;
    if (Atomics.compareExchange(counter, 0, before, before - amount) === before) return true;
  }
}

function sharedCounter(value: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)).fill(value);
}
