// Clients with which tests look at servers of their own, and which never wait for what is gone.

import { Redis } from 'ioredis';

/** A client that does not wait for what is gone. */
export function clientOf(url: string, password?: string): Redis {
  const client = new Redis(url, {
    ...(password !== undefined && { password }),
    maxRetriesPerRequest: 0,
    connectTimeout: 1000,
    commandTimeout: 2000,
    retryStrategy: () => 100,
    enableReadyCheck: false,
  });
  return client.on('error', () => undefined);
}

export async function withClient<T>(url: string, use: (client: Redis) => Promise<T>, password?: string): Promise<T> {
  const client = clientOf(url, password);
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}

/** By INFO replication: whether a replica has all that its master has. */
export function isLinked(replication: string): boolean {
  return replication.includes('master_link_status:up');
}
