// Looks at a server before anything is planned on it: what INFO says, the database, and whether the queue's keys can be written.
import type { Cluster, Redis } from 'ioredis';
import { Refusal } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { RedisTarget } from './redis-target.ts';

export interface ServerFacts {
  readonly name: string;
  /** That of Redis, which others name as the one that they are compatible with. */
  readonly version: string;
  readonly sentinel: boolean;
  readonly cluster: boolean;
  /** Of a replica: HOST:PORT of its master. */
  readonly replicaOf: string | undefined;
  /** Undefined where it is not reported. */
  readonly evictionPolicy: string | undefined;
}

/** What BullMQ recommends; below it, some of its commands are missing or slow. */
const OLDEST_VERSION = [6, 2] as const;

export function readFacts(info: string): ServerFacts {
  const field = (name: string): string | undefined => info.match(new RegExp(`^${name}:(.*?)\\s*$`, 'm'))?.[1];
  const mode = field('redis_mode') ?? field('server_mode');
  return {
    name:
      field('valkey_version') !== undefined
        ? `Valkey ${field('valkey_version')}`
        : `Redis ${field('redis_version') ?? '?'}`,
    version: field('redis_version') ?? '0',
    sentinel: mode === 'sentinel',
    cluster: field('cluster_enabled') === '1',
    replicaOf: field('role') === 'slave' ? `${field('master_host')}:${field('master_port')}` : undefined,
    evictionPolicy: field('maxmemory_policy'),
  };
}

export interface FactsCheck {
  readonly shown: string;
  readonly allowEviction: boolean;
  readonly logger: Logger;
}

/** Refuses a server that BullMQ does not work well with. */
export function checkFacts(facts: ServerFacts, { shown, allowEviction, logger }: FactsCheck): void {
  if (facts.sentinel) {
    throw unsuitable(
      `Expected a Redis server at ${shown} but received a Sentinel`,
      'Write redis+sentinel://HOST:26379/MASTER, with the name that it knows the master by.',
    );
  }
  const [major = 0, minor = 0] = facts.version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_VERSION;
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    throw unsuitable(
      `Expected Redis ${OLDEST_VERSION.join('.')} or newer at ${shown} but received version ${facts.version}`,
      'Upgrade that server, or name another one with `--redis`.',
    );
  }
  const { evictionPolicy: policy } = facts;
  if (policy === undefined || policy === 'noeviction') return;
  if (allowEviction) {
    logger.log(
      'warn',
      `Redis at ${shown} drops keys when its memory is full (maxmemory-policy ${policy}): ${EVICTION_RISK}`,
    );
    return;
  }
  throw unsuitable(
    `Expected maxmemory-policy noeviction of Redis at ${shown} but received ${policy}, which drops queued shards when its memory is full`,
    `Set it (CONFIG SET maxmemory-policy noeviction, or the parameter group of a managed one); REDIS_ALLOW_EVICTION=1 works with it all the same: ${EVICTION_RISK}.`,
  );
}

const EVICTION_RISK = 'shards may vanish from the queue or be done twice, and `resume --redis` queues them again';

/** One that is a master again in a moment is worth waiting for: a worker does. */
export function checkRole({ replicaOf }: ServerFacts, shown: string): void {
  if (replicaOf === undefined) return;
  throw new Refusal('queue-unreachable', `Expected a master at ${shown} but received a replica of ${replicaOf}`, {
    hint: `Name ${replicaOf} in \`--redis\`, or the Sentinels that know the master: redis+sentinel://HOST:26379/MASTER.`,
  });
}

/** ioredis goes on in database 0 where its SELECT is refused. */
export async function checkDatabase(client: Redis, { address, shown }: RedisTarget): Promise<void> {
  if (address.database === 0) return;
  try {
    await client.select(address.database);
  } catch (cause) {
    if (!/out of range|not allowed|invalid DB/i.test(String(cause))) throw cause;
    throw unsuitable(
      `Expected a database ${address.database} of Redis at ${shown} but it has none of that number`,
      'Most servers have 0 to 15 (`databases` of redis.conf), managed ones often 0 alone.',
      cause,
    );
  }
}

export function refuseClusterDatabase({ address, shown }: RedisTarget): void {
  if (address.database === 0) return;
  throw unsuitable(
    `Expected database 0 of the Redis cluster at ${shown} but received ${address.database}`,
    'A cluster has only database 0: leave the number away, and use --queue or --redis-prefix to keep queues apart.',
  );
}

/** What BullMQ's own scripts do, on one key that is gone again at the end: their rights are checked command by command. */
const WRITE_AND_DELETE = `
redis.call('TIME')
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'probe', '1')
redis.call('HGET', KEYS[1], 'probe')
redis.call('DEL', KEYS[1])
redis.call('ZADD', KEYS[1], 1, 'probe')
redis.call('ZRANGE', KEYS[1], 0, 0)
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], '1', 'PX', 1000)
return redis.call('DEL', KEYS[1])`;

/** In a cluster, by the master of the queue's slot. Rejects where the server would refuse the queue's own commands. */
export async function writeAndDelete(
  client: Redis | Cluster,
  keys: { readonly prefix: string; readonly name: string },
): Promise<void> {
  await client.eval(WRITE_AND_DELETE, 1, `${keys.prefix}:${keys.name}:probe`);
}

function unsuitable(message: string, hint: string, cause?: unknown): Refusal {
  return new Refusal('queue-unsuitable', message, { hint, ...(cause !== undefined && { cause }) });
}
