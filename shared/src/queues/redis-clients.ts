// Makes the ioredis client of a target: of a server, of the master that Sentinels name, or of a cluster. For redis-connection.ts.
import { Cluster, type ClusterNode, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import type { ClusterAddress, HostAndPort, SentinelAddress, ServerAddress } from './redis-address.ts';
import { describeFailure } from './redis-refusals.ts';
import type { RedisTarget, TlsFiles } from './redis-target.ts';

/** A client, and all that BullMQ duplicates from it: a worker reads by a connection of its own, since such reads block. */
export interface ClientFamily<Client extends Redis | Cluster = Redis | Cluster> {
  readonly client: Client;
  /** From now on it reconnects by itself, and so do its duplicates, which connect at once. */
  keep(): void;
  /** Why the connection went, as far as it is known. */
  lastError(): unknown;
  /** Ends all connections at once. */
  disconnect(): void;
}

export const CONNECT_TIMEOUT_MS = 4000;
/**
 * A connection that owes an answer for so long is dead: its machine is gone or stands still. BullMQ's longest blocking read
 * takes 10 s.
 */
const SILENT_TIMEOUT_MS = 30_000;
const LONGEST_RECONNECT_DELAY_MS = 30_000;
/** A master that Sentinels name, or a node of a cluster, is replaced within seconds. */
const LONGEST_FAILOVER_DELAY_MS = 3000;
/** Between two looks at who serves which slots: a master that stands still is left for the one that replaced it. */
const SLOTS_REFRESH_MS = 5000;
const CLUSTER_RETRY_MS = 300;
/** How long the error of a node explains what follows. */
const CAUSE_MS = 10_000;

/** What a server says that was a master and is none, or has just started. 2 is: connect again, then send it again. */
function reconnectOnError(error: Error): 2 | false {
  return /^(READONLY|UNBLOCKED|LOADING)\b/.test(error.message) ? 2 : false;
}

function commonOptions(
  { username, password, family }: RedisTarget['address'],
  tls: TlsFiles | undefined,
): RedisOptions {
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(family !== undefined && { family }),
    ...(tls !== undefined && { tls }),
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SILENT_TIMEOUT_MS,
    // BullMQ's blocking reads wait as long as they must.
    maxRetriesPerRequest: null,
    // The protocol that BullMQ is tested with; every server since Redis 5 speaks it.
    protocol: 2,
  };
}

export async function makeServerClient(
  address: ServerAddress,
  tls: TlsFiles | undefined,
): Promise<ClientFamily<Redis>> {
  return makeRedis({ ...commonOptions(address, tls), ...address.at, db: address.database }, LONGEST_RECONNECT_DELAY_MS);
}

/** @param sentinels those of the address, then those that they know */
export async function makeSentinelClient(
  address: SentinelAddress,
  tls: TlsFiles | undefined,
  sentinels: readonly HostAndPort[],
): Promise<ClientFamily<Redis>> {
  const { sentinelUsername, sentinelPassword } = address;
  const options: RedisOptions = {
    ...commonOptions(address, tls),
    db: address.database,
    sentinels: sentinels.map(({ host, port }) => ({ host, port })),
    name: address.master,
    role: 'master',
    ...(sentinelUsername !== undefined && { sentinelUsername }),
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    ...(tls !== undefined && { sentinelTLS: tls, enableTLSForSentinelMode: true }),
    sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
  };
  return makeRedis(options, LONGEST_FAILOVER_DELAY_MS);
}

async function makeRedis(options: RedisOptions, longestDelayMs: number): Promise<ClientFamily<Redis>> {
  let kept = false;
  let failure: unknown;
  const retryStrategy = (times: number): number | null =>
    kept ? Math.min(500 * 2 ** Math.min(times - 1, 10), longestDelayMs) : null;
  const client = new Redis({
    ...options,
    lazyConnect: true,
    retryStrategy,
    sentinelRetryStrategy: retryStrategy,
    reconnectOnError(error): 2 | false {
      const answer = reconnectOnError(error);
      if (answer === 2) failure = error;
      return answer;
    },
  });
  client.on('error', error => {
    failure = error;
  });
  endWhileWaiting(client);
  const duplicates = new Set<Redis>();
  client.duplicate = (override): Redis => {
    const duplicate = new Redis({ ...client.options, ...override });
    duplicates.add(duplicate);
    endWhileWaiting(duplicate);
    return duplicate;
  };
  return {
    client,
    keep(): void {
      kept = true;
      client.options.lazyConnect = false;
    },
    lastError: () => failure,
    disconnect(): void {
      for (const one of [client, ...duplicates]) one.disconnect();
    },
  };
}

export async function makeClusterClient(
  address: ClusterAddress,
  tls: TlsFiles | undefined,
): Promise<ClientFamily<Cluster>> {
  let kept = false;
  let failure: unknown;
  let failedAt = Number.NEGATIVE_INFINITY;
  /** The cause comes first; then each node tells that its connection is closed. */
  const note = (error: Error): void => {
    const fresh = performance.now() - failedAt < CAUSE_MS;
    if (fresh && /Connection is closed/.test(describeFailure(error))) return;
    failure = error;
    failedAt = performance.now();
  };
  const members = new Set<Cluster>();
  const options: ClusterOptions = {
    redisOptions: { ...commonOptions(address, tls), reconnectOnError },
    // The default of 16 is used up within seconds while a dead master is replaced: a waiting command would be refused.
    maxRedirections: 1e6,
    retryDelayOnFailover: CLUSTER_RETRY_MS,
    retryDelayOnClusterDown: CLUSTER_RETRY_MS,
    retryDelayOnTryAgain: CLUSTER_RETRY_MS,
    retryDelayOnMoved: 20,
    slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
    slotsRefreshInterval: SLOTS_REFRESH_MS,
    clusterRetryStrategy: times => (kept ? Math.min(CLUSTER_RETRY_MS * times, LONGEST_FAILOVER_DELAY_MS) : null),
    // Names stay names, for certificates that are made out to them.
    dnsLookup: (host, callback) => callback(null, host),
  };

  /** The nodes that are known now come first when it has to begin anew: those of the address may be gone by then. */
  function open(startNodes: readonly HostAndPort[], openOptions: ClusterOptions): Cluster {
    const seeds: ClusterNode[] = [...startNodes];
    // It keeps this very list and reads it whenever it connects.
    const cluster = new Cluster(seeds, openOptions);
    members.add(cluster);
    endWithoutNodes(cluster);
    cluster.on('refresh', () => seeds.splice(0, seeds.length, ...unique([...nodesOf(cluster), ...address.nodes])));
    cluster.duplicate = ((_nodes, override) =>
      open(unique([...nodesOf(cluster), ...address.nodes]), {
        ...options,
        ...override,
        redisOptions: { ...options.redisOptions, ...override?.redisOptions },
      })) as typeof cluster.duplicate;
    return cluster;
  }

  const client = open(address.nodes, { ...options, lazyConnect: true });
  client.on('error', note);
  client.on('node error', (error, node) => note(new Error(node, { cause: error })));
  return {
    client,
    keep(): void {
      kept = true;
    },
    lastError: () => failure,
    disconnect(): void {
      for (const member of members) member.disconnect();
    },
  };
}

/**
 * Between two attempts there is no stream whose end ioredis could tell: without this, BullMQ and the commands that
 * wait to be sent would wait for ever.
 */
function endWhileWaiting(client: Redis): void {
  const disconnect = client.disconnect.bind(client);
  client.disconnect = (reconnect = false): void => {
    const wasWaiting = client.status === 'reconnecting';
    disconnect(reconnect);
    if (!wasWaiting || reconnect) return;
    // biome-ignore-start lint/complexity/useLiteralKeys: ioredis keeps them to itself.
    client['manuallyClosing'] = false;
    client['setStatus']('end');
    client['flushQueue'](new Error('Connection is closed.'));
    // biome-ignore-end lint/complexity/useLiteralKeys: as above
  };
}

/** ioredis tells of the end by its last node that goes: with none left, whoever waits for it would wait for ever. */
function endWithoutNodes(cluster: Cluster): void {
  const disconnect = cluster.disconnect.bind(cluster);
  cluster.disconnect = (reconnect = false): void => {
    const wasWaiting = cluster.status === 'reconnecting' && cluster.nodes().length === 0;
    disconnect(reconnect);
    // biome-ignore lint/complexity/useLiteralKeys: ioredis keeps it to itself.
    if (wasWaiting && !reconnect) cluster['handleCloseEvent']();
  };
}

function nodesOf(cluster: Cluster): readonly HostAndPort[] {
  return cluster.nodes('all').map(({ options: { host = 'localhost', port = 6379 } }) => ({ host, port }));
}

function unique(nodes: readonly HostAndPort[]): readonly HostAndPort[] {
  return [...new Map(nodes.map(({ host, port }) => [`${host}:${port}`, { host, port }])).values()];
}
