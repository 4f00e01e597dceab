// What is made of a server's INFO: which ones are refused, with what to do.

import { describe, expect, it } from 'vitest';
import { createLogger, silentLogger } from '../../../shared/src/logger.ts';
import { checkFacts, checkRole, readFacts } from '../../../shared/src/queues/redis-probe.ts';

const shown = 'redis://:***@host';
const HEALTHY = { shown, allowEviction: false, logger: silentLogger };

function factsOf(...lines: readonly string[]): ReturnType<typeof readFacts> {
  return readFacts(`# Server\r\n${lines.join('\r\n')}\r\n`);
}

describe('a Redis server', () => {
  it.each(['3.2.0', '5.0.14', '6.0.16'])('of version %s is refused', version => {
    const facts = factsOf(`redis_version:${version}`, 'maxmemory_policy:noeviction');
    expect(() => checkFacts(facts, HEALTHY)).toThrow(
      expect.objectContaining({
        code: 'queue-unsuitable',
        message: `Expected Redis 6.2 or newer at ${shown} but received version ${version}`,
      }),
    );
  });

  it.each([
    ['Redis 6.2', ['redis_version:6.2.0']],
    ['Redis 10', ['redis_version:10.0.1']],
    ['Valkey', ['redis_version:7.2.4', 'server_name:valkey', 'valkey_version:9.0.0', 'server_mode:standalone']],
    ['one that reports no policy', ['redis_version:7.0.0']],
  ])('is accepted without a word: %s', (name, lines) => {
    const said: string[] = [];
    const logger = createLogger({ write: line => said.push(line) });
    const policy = name.startsWith('one') ? [] : ['maxmemory_policy:noeviction'];
    checkFacts(factsOf(...lines, ...policy), { ...HEALTHY, logger });
    expect(said).toEqual([]);
  });

  it.each(['allkeys-lru', 'volatile-lru', 'volatile-ttl'])('that may drop keys by %s is refused', policy => {
    expect(() => checkFacts(factsOf('redis_version:7.0.0', `maxmemory_policy:${policy}`), HEALTHY)).toThrow(
      expect.objectContaining({
        code: 'queue-unsuitable',
        message: expect.stringContaining(`but received ${policy}, which drops queued shards`),
        hint: expect.stringMatching(/REDIS_ALLOW_EVICTION=1 .*may vanish/),
      }),
    );
  });

  it('that may drop keys is taken with a warning where that is allowed', () => {
    const said: string[] = [];
    const logger = createLogger({ write: line => said.push(line) });
    checkFacts(factsOf('redis_version:7.0.0', 'maxmemory_policy:allkeys-lru'), {
      ...HEALTHY,
      allowEviction: true,
      logger,
    });
    expect(said).toEqual([expect.stringMatching(/allkeys-lru.*may vanish/)]);
  });

  it.each([['redis_mode'], ['server_mode']])('that is a Sentinel by its %s is named as one', field => {
    expect(() => checkFacts(factsOf('redis_version:7.0.0', `${field}:sentinel`), HEALTHY)).toThrow(
      expect.objectContaining({
        message: `Expected a Redis server at ${shown} but received a Sentinel`,
        hint: expect.stringContaining('redis+sentinel://'),
      }),
    );
  });

  it('that is a replica names its master, and may become one', () => {
    const facts = factsOf('redis_version:7.0.0', 'role:slave', 'master_host:10.0.0.1', 'master_port:6379');
    expect(() => checkRole(facts, shown)).toThrow(
      expect.objectContaining({
        code: 'queue-unreachable',
        message: `Expected a master at ${shown} but received a replica of 10.0.0.1:6379`,
      }),
    );
  });
});
