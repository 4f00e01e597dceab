// The forms of a Redis address: what is read from each, what is refused, and what a user is shown of it.

import { describe, expect, it } from 'vitest';
import { parseRedisUrl, redactUrl } from '../../../shared/src/queues/redis-address.ts';

const PLAIN = { tls: false, username: undefined, password: undefined, database: 0, family: undefined };

describe('the address of a server', () => {
  it.each([
    ['redis://', { at: { host: 'localhost', port: 6379 } }],
    ['redis://localhost', { at: { host: 'localhost', port: 6379 } }],
    ['rediss://host:6380/2', { at: { host: 'host', port: 6380 }, tls: true, database: 2 }],
    ['REDIS://host', { at: { host: 'host', port: 6379 } }],
    ['valkey://host/', { at: { host: 'host', port: 6379 } }],
    ['redis://[::1]:7000/3', { at: { host: '::1', port: 7000 }, database: 3 }],
    ['redis://:secret@host', { at: { host: 'host', port: 6379 }, password: 'secret' }],
    ['redis://user:p%40ss%2Fw%25@host', { at: { host: 'host', port: 6379 }, username: 'user', password: 'p@ss/w%' }],
    [
      'redis://user:p@s/s:w#o?rd%@host:1/4',
      { at: { host: 'host', port: 1 }, username: 'user', password: 'p@s/s:w#o?rd%', database: 4 },
    ],
    [
      'redis://host?password=a%26b&db=5&family=6',
      { at: { host: 'host', port: 6379 }, password: 'a&b', database: 5, family: 6 },
    ],
    ['redis://host?password=p@ss', { at: { host: 'host', port: 6379 }, password: 'p@ss' }],
    ['/run/redis.sock', { at: { path: '/run/redis.sock' } }],
    ['unix:///run/redis.sock?db=2', { at: { path: '/run/redis.sock' }, database: 2 }],
    ['unix://user:se/cret@/run/redis.sock', { at: { path: '/run/redis.sock' }, username: 'user', password: 'se/cret' }],
  ])('%s', (url, expected) => {
    expect(parseRedisUrl(url)).toEqual({ kind: 'server', ...PLAIN, ...expected });
  });
});

describe('the address of several', () => {
  it.each([
    [
      'redis+cluster://a,b:7001',
      {
        kind: 'cluster',
        nodes: [
          { host: 'a', port: 6379 },
          { host: 'b', port: 7001 },
        ],
      },
    ],
    [
      'rediss+cluster://u:p@a',
      { kind: 'cluster', nodes: [{ host: 'a', port: 6379 }], tls: true, username: 'u', password: 'p' },
    ],
    [
      'redis+sentinel://u:p@a,[::1]:5,c:26380/main/3?sentinel_username=su&sentinel_password=s%3Dp',
      {
        kind: 'sentinel',
        sentinels: [
          { host: 'a', port: 26379 },
          { host: '::1', port: 5 },
          { host: 'c', port: 26380 },
        ],
        master: 'main',
        database: 3,
        username: 'u',
        password: 'p',
        sentinelUsername: 'su',
        sentinelPassword: 's=p',
      },
    ],
    [
      'rediss+sentinel://a/main',
      { kind: 'sentinel', sentinels: [{ host: 'a', port: 26379 }], master: 'main', tls: true },
    ],
  ])('%s', (url, expected) => {
    expect(parseRedisUrl(url)).toEqual({ ...PLAIN, ...expected });
  });
});

describe('an address that is none', () => {
  it.each([
    'localhost',
    'http://localhost:6379',
    'redis://local host',
    'redis://host:99999',
    'redis://host/first',
    'redis://host/1/2',
    'redis://a,b',
    'redis+cluster://a,,b',
    'redis+sentinel://a,b',
    'redis+sentinel://a/main/first',
    'unix://',
    'redis://host?password=a&b',
    'redis://host?family=5',
    'sentinel://a/main',
  ])('is refused by name: %s', url => {
    const shown = redactUrl(url);
    expect(() => parseRedisUrl(url)).toThrow(
      expect.objectContaining({
        code: 'bad-option',
        message: `Expected a Redis address for \`redis\` but received '${shown}'`,
        hint: expect.any(String),
      }),
    );
  });
});

describe('a Redis address', () => {
  it.each([
    ['redis://localhost:6379/2', 'redis://localhost:6379/2'],
    ['redis://:secret@host:6379', 'redis://:***@host:6379'],
    ['rediss://user:secret@host', 'rediss://user:***@host'],
    ['redis://user:se@cr:et@host', 'redis://user:***@host'],
    ['redis://user:se/cret@host/1', 'redis://user:***@host/1'],
    ['redis://user:se?cr#et@host/1', 'redis://user:***@host/1'],
    ['redis://secret@host', 'redis://***@host'],
    ['user:secret@host:6379', 'user:***@host:6379'],
    ['redis://host?password=secret&db=1', 'redis://host?password=***&db=1'],
    ['redis://host?password=sec@ret', 'redis://host?password=***'],
    ['redis://host?password=sec&ret', 'redis://host?password=***&***'],
    ['redis+sentinel://u:secret@a,b/m?sentinel_password=secret', 'redis+sentinel://u:***@a,b/m?sentinel_password=***'],
    ['redis+cluster://:secret@a,b', 'redis+cluster://:***@a,b'],
    ['unix://u:secret@/run/r.sock?db=2', 'unix://u:***@/run/r.sock?db=2'],
    ['unix:///run/r.sock?password=secret', 'unix:///run/r.sock?password=***'],
    ['/run/redis.sock', '/run/redis.sock'],
  ])('is shown without its password: %s', (url, shown) => {
    expect(redactUrl(url)).toBe(shown);
  });
});
