// A real Redis Cluster on loopback: three masters and a replica of each.

import type { Redis } from 'ioredis';
import { openOwnRedis } from '../../setup/src/own-redis.ts';
import { freePort, type RedisServer } from '../../setup/src/redis-server.ts';
import { clientOf, isLinked } from './redis-client.ts';
import { waitUntil } from './wait-until.ts';

const MASTERS = 3;
const SLOTS = 16_384;
/** How long a server may be silent until the others replace it. */
const DOWN_AFTER_MS = 1000;

export interface ClusterOptions {
  /** Asked of every client and of the nodes among one another. */
  readonly password?: string;
}

export interface RedisCluster {
  readonly nodes: readonly RedisServer[];
  /** Address of one node. */
  readonly url: string;
  /** redis+cluster:// with all nodes. */
  readonly urls: string;
  /** The master that serves that key now. */
  masterOf(key: string): Promise<RedisServer>;
  /** Of each living node, with what its client says. */
  each<T>(ask: (client: Redis, node: RedisServer) => Promise<T>): Promise<readonly T[]>;
  close(): Promise<void>;
}

export async function openRedisCluster({ password }: ClusterOptions = {}): Promise<RedisCluster> {
  const opened = await all(MASTERS * 2, () => openNode(password));
  const nodes = opened.map(({ node }) => node);
  const clients = nodes.map(({ url }) => clientOf(url));
  const close = async (): Promise<void> => {
    for (const client of clients) client.disconnect();
    await Promise.all(nodes.map(node => node.close()));
  };
  try {
    await joinAll(opened, clients);
  } catch (error) {
    await close();
    throw error;
  }
  const auth = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
  return {
    nodes,
    url: nodes[0]?.url ?? '',
    urls: `redis+cluster://${auth}${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    async masterOf(key): Promise<RedisServer> {
      for (const client of clients) {
        const slot = await client.cluster('KEYSLOT', key).catch(() => undefined);
        const ranges = await client.cluster('SLOTS').catch(() => []);
        const port = (ranges as [number, number, [string, number]][]).find(
          ([first, last]) => typeof slot === 'number' && slot >= first && slot <= last,
        )?.[2][1];
        const node = nodes.find(node => node.port === port);
        if (node !== undefined) return node;
      }
      throw new Error(`no node knows who serves ${key}`);
    },
    async each(ask) {
      const answers = await Promise.allSettled(nodes.map((node, at) => ask(clients[at] as Redis, node)));
      return answers.flatMap(answer => (answer.status === 'fulfilled' ? [answer.value] : []));
    },
    close,
  };
}

interface OpenedNode {
  readonly node: RedisServer;
  readonly busPort: number;
}

/** Nodes speak to one another on a second port, which must be free as well. */
async function openNode(password: string | undefined): Promise<OpenedNode> {
  const busPort = await freePort();
  const node = await openOwnRedis({
    ...(password !== undefined && { password }),
    extraArguments: [
      ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--appendonly', 'no'],
      ...['--cluster-node-timeout', String(DOWN_AFTER_MS), '--repl-diskless-sync-delay', '0'],
      ...(password === undefined ? [] : ['--masterauth', password]),
    ],
  });
  return { node, busPort };
}

async function joinAll(nodes: readonly OpenedNode[], clients: readonly Redis[]): Promise<void> {
  const [first] = clients;
  for (const [at, client] of clients.entries()) {
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', String(at + 1));
    if (at >= MASTERS) continue;
    const from = Math.floor((at * SLOTS) / MASTERS);
    await client.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String(Math.floor(((at + 1) * SLOTS) / MASTERS) - 1));
  }
  for (const { node, busPort } of nodes.slice(1)) {
    await first?.call('CLUSTER', 'MEET', '127.0.0.1', String(node.port), String(busPort));
  }
  const ids = await Promise.all(clients.map(client => client.call('CLUSTER', 'MYID') as Promise<string>));
  await waitUntil('all nodes know each other', async () => {
    const known = await Promise.all(clients.map(client => client.call('CLUSTER', 'NODES') as Promise<string>));
    return known.every(text => ids.every(id => text.includes(id)) && !text.includes('handshake'));
  });
  for (const [at, client] of clients.entries()) {
    if (at >= MASTERS) await client.call('CLUSTER', 'REPLICATE', ids[at - MASTERS] ?? '');
  }
  await waitUntil('the cluster is whole', async () => {
    const states = await Promise.all(clients.map(client => client.call('CLUSTER', 'INFO') as Promise<string>));
    const links = await Promise.all(clients.slice(MASTERS).map(client => client.info('replication')));
    return states.every(text => text.includes('cluster_state:ok')) && links.every(isLinked);
  });
}

async function all<T>(count: number, make: () => Promise<T>): Promise<readonly T[]> {
  return Promise.all(Array.from({ length: count }, make));
}
