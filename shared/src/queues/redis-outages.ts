// Tells when Redis went and when it is back, once each, whatever ioredis goes through in between. For redis-connection.ts.
import type { Cluster, Redis } from 'ioredis';
import type { Logger } from '../logger.ts';
import type { ClientFamily } from './redis-clients.ts';
import { describeFailure } from './redis-refusals.ts';

export interface OutageOptions {
  readonly shown: string;
  readonly logger: Logger;
  /** Resolves when the queue can be written: through all reconnects, at the node that serves it then. */
  readonly write: () => Promise<void>;
}

/** A node of a cluster may go without the queue noticing: only what lasts so long is an outage. */
const NOTICED_AFTER_MS = 1000;
const ASK_AGAIN_MS = 1000;

/** Returns what ends it, for whoever is about to close the connection. */
export function tellOutages(family: ClientFamily, options: OutageOptions): () => void {
  const { client } = family;
  let checking = false;
  let stopped = false;

  async function check(noticeAfterMs: number): Promise<void> {
    if (checking || stopped) return;
    checking = true;
    let told = false;
    const tell = (): void => {
      if (stopped) return;
      told = true;
      options.logger.log('warn', `lost Redis at ${options.shown}${reasonOf(family.lastError())}; waiting for it`);
    };
    const timer = noticeAfterMs === 0 ? void tell() : setTimeout(tell, noticeAfterMs).unref();
    await untilWritten();
    clearTimeout(timer);
    checking = false;
    if (told && !stopped) options.logger.log('info', `Redis at ${options.shown} is back`);
  }

  async function untilWritten(): Promise<void> {
    while (!stopped) {
      try {
        return await options.write();
      } catch (error) {
        // A refusal of this one command is an answer; whoever needs the server is told of it by name.
        if (!isOutage(error)) return;
        await new Promise(resolve => setTimeout(resolve, ASK_AGAIN_MS).unref());
      }
    }
  }

  if (isCluster(client)) {
    for (const event of ['node error', '-node', 'reconnecting']) client.on(event, () => void check(NOTICED_AFTER_MS));
  } else client.on('reconnecting', () => void check(0));
  return () => {
    stopped = true;
  };
}

/** Whether a command failed because its server was not there, or not the master, just then: the same one may pass later. */
export function isOutage(error: unknown): boolean {
  const inner: unknown = error instanceof Error && 'previousErrors' in error ? error.previousErrors : undefined;
  const text = [error, ...(Array.isArray(inner) ? inner : [])].map(describeFailure).join(' ');
  return OUTAGE.test(text);
}

const OUTAGE =
  /Connection is closed|connection close|None of startup nodes|Failed to refresh slots|Too many Cluster redirections|Cluster is (?:ended|disconnect)|All sentinels are unreachable|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|READONLY|UNBLOCKED|LOADING|Socket timeout|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT/;

export function isCluster(client: Redis | Cluster): client is Cluster {
  return client.isCluster;
}

function reasonOf(error: unknown): string {
  return error === undefined ? '' : ` (${describeFailure(error)})`;
}
