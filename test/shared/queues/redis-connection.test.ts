// What the user reads of a Redis address and of a server that will not do.

import { describe, expect, it } from 'vitest';
import { createLogger, silentLogger } from '../../../shared/src/logger.ts';
import { checkServer, redactUrl } from '../../../shared/src/queues/redis-connection.ts';

describe('a Redis address', () => {
  it.each([
    ['redis://localhost:6379/2', 'redis://localhost:6379/2'],
    ['redis://:secret@host:6379', 'redis://:***@host:6379'],
    ['rediss://user:secret@host', 'rediss://user:***@host'],
    ['redis://user:se@cr:et@host', 'redis://user:***@host'],
    ['redis://user:se/cret@host/1', 'redis://user:***@host/1'],
    ['redis://secret@host', 'redis://***@host'],
    ['user:secret@host:6379', 'user:***@host:6379'],
    ['redis://host?password=secret&db=1', 'redis://host?password=***&db=1'],
    ['/run/redis.sock', '/run/redis.sock'],
  ])('is shown without its password: %s', (url, shown) => {
    expect(redactUrl(url)).toBe(shown);
  });
});

describe('a Redis server', () => {
  const url = 'redis://:secret@host';

  it.each(['3.2.0', '5.0.14', '6.0.16'])('of version %s is refused', version => {
    const info = `# Server\r\nredis_version:${version}\r\nmaxmemory_policy:noeviction\r\n`;
    expect(() => checkServer(info, url, silentLogger)).toThrow(
      expect.objectContaining({
        code: 'queue-unreachable',
        message: `Expected Redis 6.2 or newer at redis://:***@host but received version ${version}`,
      }),
    );
  });

  it.each([
    ['Redis 6.2', 'redis_version:6.2.0'],
    ['Redis 10', 'redis_version:10.0.1'],
    ['Valkey', 'redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0'],
  ])('is accepted without a word: %s', (_name, server) => {
    const lines: string[] = [];
    const logger = createLogger({ write: line => lines.push(line) });
    checkServer(`# Server\r\n${server}\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n`, url, logger);
    expect(lines).toEqual([]);
  });
});
