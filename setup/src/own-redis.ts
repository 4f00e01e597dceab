// A Redis of the caller's own, wherever its program comes from: for tests that kill or restart it, and for benchmarks.
import { unpackDebianRedis } from './redis-debian.ts';
import { findRedisProgram, type RedisServer, type RedisServerOptions, startRedisServer } from './redis-server.ts';

export interface OwnRedisOptions extends Omit<RedisServerOptions, 'program'> {
  /** Gets one line per step that took time. @default silent */
  readonly log?: (line: string) => void;
}

/** The machine's program, else Debian's. */
export async function openOwnRedis({ log, ...options }: OwnRedisOptions = {}): Promise<RedisServer> {
  const program = findRedisProgram() ?? (await unpackDebianRedis({ ...(log && { log }) }));
  return startRedisServer({ ...program, ...options });
}
