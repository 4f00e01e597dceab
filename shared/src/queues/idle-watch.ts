// Tells when a consumer has nothing to do: no job waits and none of its own is unsettled. For bullmq-consumer.ts.

export interface IdleWatchOptions {
  readonly pendingCount: () => Promise<number>;
  readonly onIdle: (() => void) | undefined;
}

export interface IdleWatch {
  begin(id: string): void;
  /** Redis knows how that job ended. */
  settle(id: string): void;
  /** An error ended the settling of whichever job is in no handler any more. */
  settleAllBut(ids: ReadonlySet<string>): void;
  /** The last look into the queue found nothing. */
  drained(): void;
  stop(): void;
}

/** While jobs wait for their time or for other workers, nothing here tells of their end: it is asked for. */
const ASK_AGAIN_MS = 1000;

/**
 * BullMQ's own `drained` tells of an empty queue while jobs are in hand, and may come before the `active` of a job
 * fetched earlier: so it only prompts the question, and the count answers it.
 */
export function createIdleWatch({ pendingCount, onIdle }: IdleWatchOptions): IdleWatch {
  const unsettled = new Set<string>();
  let told = false;
  let asking = false;
  let stopped = onIdle === undefined;
  let timer: NodeJS.Timeout | undefined;

  const mayBeIdle = (): boolean => !stopped && !told && unsettled.size === 0;

  async function check(): Promise<void> {
    if (!mayBeIdle() || asking) return;
    asking = true;
    clearTimeout(timer);
    try {
      const pending = await pendingCount();
      // The fetches sent before the count were answered before it, on the same connection: announced by now.
      await new Promise(resolve => setImmediate(resolve));
      if (!mayBeIdle()) return;
      if (pending === 0) {
        told = true;
        onIdle?.();
        return;
      }
    } catch {
      // Redis is away: not idle, only deaf.
    } finally {
      asking = false;
    }
    if (!stopped) timer = setTimeout(check, ASK_AGAIN_MS).unref();
  }

  return {
    begin(id): void {
      unsettled.add(id);
      told = false;
    },
    settle(id): void {
      unsettled.delete(id);
      void check();
    },
    settleAllBut(ids): void {
      for (const id of unsettled) {
        if (!ids.has(id)) unsettled.delete(id);
      }
      void check();
    },
    drained: () => void check(),
    stop(): void {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
