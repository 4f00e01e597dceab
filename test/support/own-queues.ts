// Queues of a test file in the Redis that all tests share: each test takes a name of its own, and none is left.
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll } from 'vitest';
import { redisUrl } from './redis.ts';

/** Gives another name at each call; what stands in the queues goes after the last test of the file. */
export function useOwnQueues(prefix: string): () => string {
  const names: string[] = [];
  // The server may be one that lives on.
  afterAll(async () => {
    const connection = new Redis(redisUrl(), { maxRetriesPerRequest: null });
    for (const name of names) {
      const queue = new Queue(name, { connection });
      await queue.obliterate({ force: true });
      await queue.close();
    }
    connection.disconnect();
  });
  return () => {
    const name = `${prefix}-${process.pid}-${Date.now()}-${names.length}`;
    names.push(name);
    return name;
  };
}
