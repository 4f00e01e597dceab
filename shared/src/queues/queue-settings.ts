// What the options of a command say about its queue, in the words of bullmq.ts and redis-connection.ts.
import type { QueueOptions } from '../extract-options.ts';
import type { RedisSettings } from './redis-target.ts';

/** @param options of a command that needs a queue, or may ask one: then with the address that it was given */
export function queueSettings(options: QueueOptions): RedisSettings & { readonly name: string } {
  return {
    url: options.redis,
    name: options.queue,
    prefix: options.redisPrefix,
    tlsCaFile: options.redisTlsCaFile,
    tlsCertFile: options.redisTlsCertFile,
    tlsKeyFile: options.redisTlsKeyFile,
    allowEviction: options.redisAllowEviction,
  };
}
