// Opens one Redis connection and explains why it could not. For bullmq.ts; redactUrl for whoever prints an address.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { describeError, hasErrorCode, Refusal } from '../errors.ts';
import type { Logger } from '../logger.ts';

export interface ConnectOptions {
  readonly url: string;
  readonly logger: Logger;
  /** Keeps trying until it is aborted, instead of refusing at the first failure. */
  readonly retry?: ConnectRetry;
}

export interface ConnectRetry {
  readonly signal: AbortSignal;
  /** Pause after the first failure; doubles up to 30 s. @default 1000 */
  readonly firstDelayMs?: number;
}

/** A lost connection comes back by itself; one line tells when it went and one when it is back. */
export async function connectRedis(options: ConnectOptions): Promise<Redis> {
  const { url, logger, retry } = options;
  let told = '';
  for (let failures = 0; ; failures++) {
    if (retry?.signal.aborted) throw interrupted(url);
    try {
      const client = await connectOnce(url, logger);
      if (told !== '') logger.log('info', `connected to Redis at ${redactUrl(url)}`);
      return client;
    } catch (error) {
      if (retry === undefined || !(error instanceof Refusal) || error.code === 'bad-option') throw error;
      if (error.message !== told) logger.log('warn', `${error.message}; trying again. ${error.hint ?? ''}`.trim());
      told = error.message;
    }
    const delayMs = Math.min((retry.firstDelayMs ?? 1000) * 2 ** failures, LONGEST_RETRY_DELAY_MS);
    await sleep(delayMs, undefined, { signal: retry.signal }).catch(() => undefined);
  }
}

/** The address without its password, also where it is malformed: for every message and log line. */
export function redactUrl(url: string): string {
  const hidden = url.replace(/^([a-z]*:?\/\/)?.*@/i, (match, scheme: string | undefined = '') => {
    const user = match.slice(scheme.length).split(':')[0] ?? '';
    return match.includes(':', scheme.length) ? `${scheme}${user}:***@` : `${scheme}***@`;
  });
  return hidden.replace(/([?&]password=)[^&]*/gi, '$1***');
}

const LONGEST_RETRY_DELAY_MS = 30_000;
const CONNECT_TIMEOUT_MS = 5000;
/** What BullMQ recommends; below it, some of its commands are missing or slow. */
const OLDEST_VERSION = [6, 2] as const;

async function connectOnce(url: string, logger: Logger): Promise<Redis> {
  if (!/^(rediss?:\/\/|\/)/i.test(url) || !URL.canParse(url, 'redis://localhost')) {
    throw new Refusal('bad-option', `Expected a Redis address for \`redis\` but received '${redactUrl(url)}'`, {
      hint: 'Write redis://HOST:6379, redis://USER:PASSWORD@HOST:6379, or rediss://… for TLS.',
    });
  }
  const { Redis } = await import('ioredis');
  let opened = false;
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // BullMQ's blocking reads wait as long as they must.
    maxRetriesPerRequest: null,
    // The protocol that BullMQ is tested with; every server since Redis 5 speaks it.
    protocol: 2,
    retryStrategy: times => (opened ? Math.min(500 * 2 ** Math.min(times - 1, 10), LONGEST_RETRY_DELAY_MS) : null),
  });
  let failure: unknown;
  client.on('error', error => {
    failure = error;
  });
  try {
    await client.connect();
    checkServer(await client.info(), url, logger);
  } catch (error) {
    client.disconnect();
    // What connect() throws says only that the connection is closed; its error event says why.
    throw error instanceof Refusal ? error : refuse(failure ?? error, url);
  }
  opened = true;
  // BullMQ duplicates the client: its copies connect, and reconnect, by themselves.
  client.options.lazyConnect = false;
  tellOutages(client, url, logger);
  return client;
}

/** Refuses a server that BullMQ does not work well with, by what its INFO says. */
export function checkServer(info: string, url: string, logger: Logger): void {
  const field = (name: string): string | undefined => info.match(new RegExp(`^${name}:(.*?)\\s*$`, 'm'))?.[1];
  // Valkey and Dragonfly name the Redis version that they are compatible with.
  const version = field('redis_version') ?? '0';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_VERSION;
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    throw new Refusal(
      'queue-unreachable',
      `Expected Redis ${OLDEST_VERSION.join('.')} or newer at ${redactUrl(url)} but received version ${version}`,
      { hint: 'Upgrade that server, or name another one with `--redis`.' },
    );
  }
  const policy = field('maxmemory_policy');
  if (policy !== undefined && policy !== 'noeviction') {
    logger.log(
      'warn',
      `Redis at ${redactUrl(url)} may drop jobs when its memory is full (maxmemory-policy ${policy}): set it to noeviction`,
    );
  }
}

function tellOutages(client: Redis, url: string, logger: Logger): void {
  let lost = false;
  client.on('reconnecting', () => {
    if (!lost) logger.log('warn', `lost Redis at ${redactUrl(url)}; waiting for it`);
    lost = true;
  });
  client.on('ready', () => {
    if (lost) logger.log('info', `Redis at ${redactUrl(url)} is back`);
    lost = false;
  });
}

function refuse(error: unknown, url: string): Refusal {
  const { received, hint } = explain(error);
  const message = `Expected a Redis server at ${redactUrl(url)} but received ${received}`;
  return new Refusal('queue-unreachable', message, { hint, cause: error });
}

function explain(error: unknown): { readonly received: string; readonly hint: string } {
  const text = describeError(error);
  if (/WRONGPASS|invalid password|invalid username|Client sent AUTH/i.test(text)) {
    return { received: 'a refusal of the password', hint: 'Correct it in the address: redis://:PASSWORD@HOST:6379.' };
  }
  if (/NOAUTH|DENIED/.test(text)) {
    return { received: 'a request for a password', hint: 'Add it to the address: redis://:PASSWORD@HOST:6379.' };
  }
  if (/NOPERM/.test(text)) {
    return { received: 'a lack of permissions', hint: `Give that user all commands and keys of BullMQ (${text}).` };
  }
  if (/SSL|TLS|certificate|wrong version number/i.test(text)) {
    return { received: `a TLS error (${text})`, hint: 'Use rediss:// with TLS and redis:// without.' };
  }
  const code = ['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOENT'].find(code =>
    hasErrorCode(error, code),
  );
  return {
    received: `no answer (${code ?? text})`,
    hint: 'Start one (`docker run -p 6379:6379 redis:7`, or `redis-server`), or correct the address in `--redis`.',
  };
}

function interrupted(url: string): Refusal {
  return new Refusal('interrupted', `Stopped while waiting for Redis at ${redactUrl(url)}`);
}
