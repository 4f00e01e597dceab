// Asks Sentinels for a master before a client does: theirs waits for ever where no Sentinel answers or none knows it.
import { Redis } from 'ioredis';
import { Refusal } from '../errors.ts';
import type { HostAndPort, SentinelAddress } from './redis-address.ts';
import { CONNECT_TIMEOUT_MS } from './redis-clients.ts';
import { explainFailure } from './redis-refusals.ts';
import type { RedisTarget, TlsFiles } from './redis-target.ts';
import { within } from './within.ts';

export interface FoundMaster {
  readonly master: HostAndPort;
  /** Those of the address, then those that they know: the first ones may be gone when a connection is lost. */
  readonly sentinels: readonly HostAndPort[];
}

type Answer =
  | { readonly master: HostAndPort; readonly others: readonly HostAndPort[] }
  /** The names that it does know. */
  | { readonly known: readonly string[] }
  | { readonly failure: unknown };

export async function findMaster(target: RedisTarget & { readonly address: SentinelAddress }): Promise<FoundMaster> {
  const { address } = target;
  const ask = async (at: HostAndPort): Promise<Answer> => {
    const client = new Redis({ ...sentinelOptions(address, target.tls), ...at });
    let failure: unknown;
    client.on('error', error => {
      failure = error;
    });
    try {
      return await within(CONNECT_TIMEOUT_MS, () => askSentinel(client, address.master));
    } catch (error) {
      return { failure: failure ?? error };
    } finally {
      client.disconnect();
    }
  };
  const answers = await Promise.all(address.sentinels.map(ask));
  const found = answers.flatMap(answer => ('master' in answer ? answer : []));
  const [first] = found;
  if (first !== undefined) {
    const sentinels = [...address.sentinels, ...found.flatMap(({ others }) => others)];
    const byName = new Map(sentinels.map(sentinel => [`${sentinel.host}:${sentinel.port}`, sentinel]));
    return { master: first.master, sentinels: [...byName.values()] };
  }
  const unknown = answers.find(answer => 'known' in answer);
  if (unknown !== undefined) throw unknownMaster(target, address.master, unknown.known);
  const failures = answers.flatMap(answer => ('failure' in answer ? [answer.failure] : []));
  throw explainFailure(failures[0], `Sentinels at ${target.shown}`, 'sentinel');
}

function sentinelOptions({ sentinelUsername, sentinelPassword, family }: SentinelAddress, tls: TlsFiles | undefined) {
  return {
    ...(sentinelUsername !== undefined && { username: sentinelUsername }),
    ...(sentinelPassword !== undefined && { password: sentinelPassword }),
    ...(family !== undefined && { family }),
    ...(tls !== undefined && { tls }),
    connectTimeout: CONNECT_TIMEOUT_MS,
    enableReadyCheck: false,
    disableClientInfo: true,
    maxRetriesPerRequest: null,
    protocol: 2,
    lazyConnect: true,
    retryStrategy: null,
  } as const;
}

async function askSentinel(client: Redis, name: string): Promise<Answer> {
  await client.connect();
  const address: unknown = await client.call('SENTINEL', 'get-master-addr-by-name', name);
  if (!Array.isArray(address)) {
    const masters: unknown = await client.call('SENTINEL', 'masters');
    return { known: rowsOf(masters).flatMap(row => row.get('name') ?? []) };
  }
  const others = rowsOf(await client.call('SENTINEL', 'sentinels', name)).flatMap(row => {
    const host = row.get('ip');
    return host === undefined || host === '' ? [] : { host, port: Number(row.get('port')) };
  });
  return { master: { host: String(address[0]), port: Number(address[1]) }, others };
}

/** Rows of names and values in turn, as protocol 2 has them. */
function rowsOf(reply: unknown): readonly ReadonlyMap<string, string>[] {
  if (!Array.isArray(reply)) return [];
  return reply.filter(Array.isArray).map(row => {
    const fields = new Map<string, string>();
    for (let at = 0; at + 1 < row.length; at += 2) fields.set(String(row[at]), String(row[at + 1]));
    return fields;
  });
}

function unknownMaster({ shown }: RedisTarget, name: string, known: readonly string[]): Refusal {
  const names = known.length === 0 ? 'none' : known.join(', ');
  return new Refusal(
    'queue-unsuitable',
    `Expected a master named '${name}' of the Sentinels at ${shown} but they know ${names}`,
    {
      hint: 'Correct the name in the address: redis+sentinel://HOST,HOST/MASTER.',
    },
  );
}
