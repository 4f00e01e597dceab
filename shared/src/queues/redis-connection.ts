// Opens the connection to Redis that queue, doctor and health check share, and explains why it could not.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Redis } from 'ioredis';
import { Refusal } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { HostAndPort, SentinelAddress, ServerAddress } from './redis-address.ts';
import { type ClientFamily, makeClusterClient, makeSentinelClient, makeServerClient } from './redis-clients.ts';
import { isCluster, tellOutages } from './redis-outages.ts';
import {
  checkDatabase,
  checkFacts,
  checkRole,
  readFacts,
  refuseClusterDatabase,
  type ServerFacts,
  writeAndDelete,
} from './redis-probe.ts';
import { explainFailure, type RedisKind } from './redis-refusals.ts';
import { findMaster } from './redis-sentinels.ts';
import { type RedisSettings, type RedisTarget, readTarget } from './redis-target.ts';
import { unlessAborted, within } from './within.ts';

export interface ConnectOptions extends RedisSettings {
  /** The queue's name: its keys are what the connection is for. */
  readonly name: string;
  readonly logger: Logger;
  /** `read` looks at what is there: a replica will do, and nothing is probed. @default 'write' */
  readonly access?: 'read' | 'write';
  /** Ends the attempt. */
  readonly signal?: AbortSignal | undefined;
  /** Keeps trying until it is aborted, instead of refusing at the first failure, where that may mend itself. */
  readonly retry?: ConnectRetry;
}

export interface ConnectRetry {
  readonly signal: AbortSignal;
  /** Pause after the first failure; doubles up to 30 s. @default 1000 */
  readonly firstDelayMs?: number;
}

export interface RedisConnection {
  readonly client: Redis | Cluster;
  readonly shown: string;
  readonly kind: RedisKind;
  /** What all keys of the queue begin with, for BullMQ: in a cluster with a hash tag, so that they lie in one slot. */
  readonly prefix: string;
  /** Of the server, or of the masters of a cluster that answer. */
  readonly servers: readonly ServerFacts[];
  /** Whether a command would be sent now. */
  isReady(): boolean;
  /** Resolves when the queue's keys can be written, through all outages. */
  write(): Promise<void>;
  /** Says goodbye where somebody listens, and ends all connections, also those that BullMQ made. */
  close(): Promise<void>;
}

/** From the first look-up to the last answer of the probe. */
const CONNECT_BOUND_MS = 9000;
const CLOSE_BOUND_MS = 1000;
const ASK_NODE_MS = 2000;
const LONGEST_RETRY_DELAY_MS = 30_000;

/** A lost connection comes back by itself; one line tells when it went and one when it is back. */
export async function connectRedis(options: ConnectOptions): Promise<RedisConnection> {
  const { logger, retry } = options;
  const signal = retry?.signal ?? options.signal;
  const target = await readTarget(options);
  let told = '';
  for (let failures = 0; ; failures++) {
    if (signal?.aborted) throw interrupted(target);
    try {
      const connection = await connectOnce(target, options, signal);
      if (told !== '') logger.log('info', `connected to Redis at ${target.shown}`);
      return connection;
    } catch (error) {
      if (signal?.aborted) throw interrupted(target);
      if (retry === undefined || !(error instanceof Refusal) || error.code !== 'queue-unreachable') throw error;
      if (error.message !== told) logger.log('warn', `${error.message}; trying again. ${error.hint ?? ''}`.trim());
      told = error.message;
    }
    const delayMs = Math.min((retry.firstDelayMs ?? 1000) * 2 ** failures, LONGEST_RETRY_DELAY_MS);
    await sleep(delayMs, undefined, { signal: retry.signal }).catch(() => undefined);
  }
}

/** What an attempt has come to. */
interface Opening {
  family: ClientFamily | undefined;
  /** Given up: whatever it opens from now on ends at once. */
  over: boolean;
  expected: string;
  kind: RedisKind;
}

async function connectOnce(
  target: RedisTarget,
  options: ConnectOptions,
  signal: AbortSignal | undefined,
): Promise<RedisConnection> {
  const expected = `a Redis server at ${target.shown}`;
  const opening: Opening = { family: undefined, over: false, expected, kind: 'server' };
  try {
    return await unlessAborted(
      signal,
      within(CONNECT_BOUND_MS, () => open(target, options, opening)),
    );
  } catch (error) {
    const { family, expected, kind } = opening;
    opening.over = true;
    family?.disconnect();
    if (error instanceof Refusal || signal?.aborted) throw error;
    // What connect() throws says only that the connection is closed; its error event says why.
    throw explainFailure(
      /closed|startup nodes|no answer/.test(String(error)) ? (family?.lastError() ?? error) : error,
      expected,
      kind,
    );
  }
}

async function open(target: RedisTarget, options: ConnectOptions, opening: Opening): Promise<RedisConnection> {
  const { address, shown } = target;
  if (address.kind === 'cluster') return openCluster(target, address.nodes, options, opening);
  const family = await openClient(target, address, opening);
  adopt(opening, family);
  await family.client.connect();
  const facts = readFacts(await family.client.info());
  if (facts.cluster && address.kind === 'server') {
    family.disconnect();
    return openCluster(target, nodesOf(address), options, opening);
  }
  checkFacts(facts, { ...options, shown, allowEviction: options.allowEviction ?? false });
  await checkDatabase(family.client, target);
  if (options.access !== 'read') checkRole(facts, shown);
  return finish(target, options, opening, { family, prefix: options.prefix ?? 'bull', servers: [facts] });
}

/** The server, or the masters of a cluster: for whoever asks each of them. */
export function serversOf({ client }: RedisConnection): readonly Redis[] {
  return isCluster(client) ? client.nodes('master') : [client];
}

async function openClient(
  { shown, tls }: RedisTarget,
  address: ServerAddress | SentinelAddress,
  opening: Opening,
): Promise<ClientFamily<Redis>> {
  if (address.kind === 'server') return makeServerClient(address, tls);
  const { master, sentinels } = await findMaster({ shown, tls, address });
  opening.expected = `the master at ${master.host}:${master.port} that the Sentinels at ${shown} name`;
  return makeSentinelClient(address, tls, sentinels);
}

async function openCluster(
  target: RedisTarget,
  nodes: readonly HostAndPort[],
  options: ConnectOptions,
  opening: Opening,
): Promise<RedisConnection> {
  opening.kind = 'cluster';
  opening.expected = `a Redis cluster at ${target.shown}`;
  const family = await makeClusterClient({ ...target.address, kind: 'cluster', nodes }, target.tls);
  adopt(opening, family);
  try {
    await family.client.connect();
  } catch (error) {
    throw (await failureOf(target, nodes)) ?? family.lastError() ?? error;
  }
  refuseClusterDatabase(target);
  const infos = await Promise.allSettled(family.client.nodes('master').map(node => node.info()));
  // A master that is gone is replaced, or serves slots of others: the probe asks the one that serves ours.
  const servers = infos.flatMap(info => (info.status === 'fulfilled' ? readFacts(info.value) : []));
  for (const facts of servers)
    checkFacts(facts, { ...options, shown: target.shown, allowEviction: options.allowEviction ?? false });
  return finish(target, options, opening, {
    family,
    prefix: clusterPrefix(options.prefix ?? 'bull', options.name),
    servers,
  });
}

function adopt(opening: Opening, family: ClientFamily): void {
  opening.family = family;
  if (opening.over) family.disconnect();
}

/** A cluster's client says of its nodes only that their connections are closed. */
async function failureOf({ address, tls }: RedisTarget, nodes: readonly HostAndPort[]): Promise<unknown> {
  const [at] = nodes;
  if (at === undefined) return undefined;
  const { client, lastError, disconnect } = await makeServerClient(
    { ...address, kind: 'server', at, database: 0 },
    tls,
  );
  try {
    await within(ASK_NODE_MS, () => client.connect());
    return undefined;
  } catch {
    return lastError();
  } finally {
    disconnect();
  }
}

interface Opened {
  readonly family: ClientFamily;
  readonly prefix: string;
  readonly servers: readonly ServerFacts[];
}

async function finish(
  { shown }: RedisTarget,
  { name, logger, access }: ConnectOptions,
  { kind }: Opening,
  { family, prefix, servers }: Opened,
): Promise<RedisConnection> {
  const { client } = family;
  const write = (): Promise<void> => writeAndDelete(client, { prefix, name });
  if (access !== 'read') await write();
  // From here on an outage is waited for.
  family.keep();
  const stopTelling = access === 'read' ? undefined : tellOutages(family, { shown, logger, write });
  const isReady = (): boolean => client.status === 'ready';
  return {
    client,
    shown,
    kind,
    prefix,
    servers,
    isReady,
    write,
    async close(): Promise<void> {
      stopTelling?.();
      // Without a server there is nobody to say goodbye to.
      if (isReady()) await within(CLOSE_BOUND_MS, () => client.quit()).catch(() => undefined);
      family.disconnect();
    },
  };
}

/** A hash tag of the user's own decides where it names one. */
function clusterPrefix(prefix: string, name: string): string {
  return /\{[^}]+\}/.test(prefix) ? prefix : `{${prefix}:${name}}`;
}

function nodesOf({ at }: ServerAddress): readonly HostAndPort[] {
  return 'path' in at ? [] : [at];
}

function interrupted({ shown }: RedisTarget): Refusal {
  return new Refusal('interrupted', `Stopped while waiting for Redis at ${shown}`);
}
