// A real Redis master with a replica, and three Sentinels that replace the one by the other, on loopback.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openOwnRedis } from '../../setup/src/own-redis.ts';
import { freePort, type RedisServer } from '../../setup/src/redis-server.ts';
import { isLinked, withClient } from './redis-client.ts';
import { waitUntil } from './wait-until.ts';

/** How long a server may be silent until it is replaced. */
const DOWN_AFTER_MS = 1000;

export interface SentinelOptions {
  /** Of the servers. */
  readonly password?: string;
  /** Of the Sentinels themselves. */
  readonly sentinelPassword?: string;
}

export interface RedisSentinels {
  readonly sentinels: readonly RedisServer[];
  readonly servers: readonly RedisServer[];
  /** The name that the Sentinels know the master by. */
  readonly name: string;
  /** redis+sentinel:// with all Sentinels and their passwords. */
  readonly url: string;
  /** The server that the Sentinels name now. */
  master(): Promise<RedisServer>;
  close(): Promise<void>;
}

export async function openRedisSentinels(options: SentinelOptions = {}): Promise<RedisSentinels> {
  const { password, sentinelPassword } = options;
  const name = 'mymaster';
  const folder = await mkdtemp(join(tmpdir(), 'layertap-sentinel-'));
  const started: RedisServer[] = [];
  const keep = (server: RedisServer): RedisServer => {
    started.push(server);
    return server;
  };
  const close = async (): Promise<void> => {
    await Promise.all(started.map(server => server.close()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const auth = password === undefined ? {} : { password };
    const quick = ['--repl-diskless-sync-delay', '0', ...(password === undefined ? [] : ['--masterauth', password])];
    const first = keep(await openOwnRedis({ ...auth, extraArguments: quick }));
    const replicaOf = ['--replicaof', `127.0.0.1 ${first.port}`];
    const second = keep(await openOwnRedis({ ...auth, extraArguments: [...quick, ...replicaOf] }));
    await withClient(second.url, client =>
      waitUntil('the replica follows', async () => isLinked(await client.info('replication'))),
    );
    const sentinels: RedisServer[] = [];
    for (let at = 0; at < 3; at++) {
      const file = join(folder, `sentinel-${at}.conf`);
      const lines = [
        `sentinel monitor ${name} 127.0.0.1 ${first.port} 2`,
        `sentinel down-after-milliseconds ${name} ${DOWN_AFTER_MS}`,
        `sentinel failover-timeout ${name} 5000`,
        ...(password === undefined ? [] : [`sentinel auth-pass ${name} ${password}`]),
        ...(sentinelPassword === undefined
          ? []
          : [`requirepass ${sentinelPassword}`, `sentinel sentinel-pass ${sentinelPassword}`]),
      ];
      await writeFile(file, `${lines.join('\n')}\n`);
      const port = await freePort();
      const login = sentinelPassword === undefined ? '' : `:${encodeURIComponent(sentinelPassword)}@`;
      sentinels.push(
        keep(await openOwnRedis({ port, sentinelFile: file, reach: { url: `redis://${login}127.0.0.1:${port}` } })),
      );
    }
    const servers = [first, second];
    const askEach = async (...words: readonly string[]): Promise<readonly unknown[]> => {
      const answers = await Promise.allSettled(
        sentinels.map(({ port }) =>
          withClient(
            `redis://127.0.0.1:${port}`,
            client => client.call(words[0] ?? '', ...words.slice(1)),
            sentinelPassword,
          ),
        ),
      );
      return answers.flatMap(answer => (answer.status === 'fulfilled' ? [answer.value] : []));
    };
    await waitUntil('the Sentinels know each other and the replica', async () => {
      const [others, replicas] = [
        await askEach('SENTINEL', 'sentinels', name),
        await askEach('SENTINEL', 'replicas', name),
      ];
      const count = (rows: unknown): number => (Array.isArray(rows) ? rows.length : 0);
      return (
        others.every(rows => count(rows) === 2) && replicas.every(rows => count(rows) === 1) && others.length === 3
      );
    });
    const login = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
    const query = sentinelPassword === undefined ? '' : `?sentinel_password=${encodeURIComponent(sentinelPassword)}`;
    return {
      sentinels,
      servers,
      name,
      url: `redis+sentinel://${login}${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${name}${query}`,
      async master(): Promise<RedisServer> {
        const [address] = await askEach('SENTINEL', 'get-master-addr-by-name', name);
        const port = Array.isArray(address) ? Number(address[1]) : 0;
        const server = servers.find(server => server.port === port);
        if (server === undefined) throw new Error(`no server of ours is the master: ${String(address)}`);
        return server;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
