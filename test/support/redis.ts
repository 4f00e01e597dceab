// What a test needs of Redis: the address of the one that all tests share, or a server of its own.

import { inject } from 'vitest';
import type {} from '../global-setup.ts';

export { openOwnRedis } from '../../setup/src/own-redis.ts';

/** Address of the shared Redis. Other tests use it at the same time: take queue names of your own, never flush it. */
export function redisUrl(): string {
  const redis = inject('redis');
  if (!redis.ready) throw new Error(redis.reason);
  return redis.url;
}
