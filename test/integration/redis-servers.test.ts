// Real servers of every kind: encrypted, on a socket, with few rights, a replica, one that evicts, one that stops being the master, Valkey.

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findProgram } from '../../setup/src/command.ts';
import { freePort, startRedisServer } from '../../setup/src/redis-server.ts';
import { run, start, startService } from '../support/layertap.ts';
import { openOwnRedis } from '../support/redis.ts';
import { isLinked, withClient } from '../support/redis-client.ts';
import {
  countOf,
  expectClean,
  NULL_REQUEST,
  receiptsIn,
  SMALL_WORKER,
  stopWorker,
  untilDone,
  useNullList,
} from '../support/redis-run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { findValkey } from '../support/valkey.ts';
import { waitUntil } from '../support/wait-until.ts';

const ROWS = 200;
const made = useNullList(ROWS);
/** A dozen processes one after the other: minutes on a machine that has other work. */
const WHOLE_RUN = { timeout: 240_000 };

async function ownRedis(options: Parameters<typeof openOwnRedis>[0] = {}): ReturnType<typeof openOwnRedis> {
  const redis = await openOwnRedis(options);
  onTestFinished(() => redis.close());
  return redis;
}

type Env = Readonly<Record<string, string>>;

/** Producer, worker, status, gc and health check, all with these settings: from the first connection to the last. */
async function expectWholeRun(name: string, flags: readonly string[], env: Env = {}): Promise<void> {
  const out = join(made.root, name);
  const worker = start(['work', ...flags, ...SMALL_WORKER], { env });
  const produced = await run(
    ['enqueue', made.list, ...NULL_REQUEST, '--limit', '20', '--out', out, ...flags, '--wait'],
    { env },
  );
  expect(produced.stderr).toContain('20 of 20 shards queued');
  expect(produced.code).toBe(0);
  await expectClean(out, 20);
  expect((await run(['status', out, ...flags], { env })).stdout).toContain(
    'queue: 0 waiting, 0 active, 0 delayed, 0 failed',
  );
  expect((await run(['gc', out, ...flags], { env })).stdout).toContain('queue: 0 jobs');
  expect((await run(['resume', out, ...flags, '--wait'], { env })).code).toBe(0);
  const { code, stderr } = await stopWorker(worker);
  expect(countOf(stderr, /warn|error/)).toBe(0);
  expect(code).toBe(0);
}

async function refusal(flags: readonly string[], env: Env = {}): Promise<string> {
  const out = join(made.root, 'refused');
  const results = await Promise.all([
    run(['enqueue', made.list, ...NULL_REQUEST, '--out', out, ...flags], { env }),
    run(['work', ...flags], { env }),
  ]);
  const [first, second] = results.map(({ stderr }) => stderr);
  expect(second).toBe(first);
  expect(results.map(({ code }) => code)).toEqual([1, 1]);
  // Refused before anything was planned.
  expect(await receiptsIn(out)).toBe(0);
  expect(await readFile(join(out, 'run.json')).catch(() => 'none')).toBe('none');
  return first ?? '';
}

describe.skipIf(findProgram('openssl') === undefined)('a Redis with its own certificates', () => {
  async function certificates(): Promise<string> {
    const folder = await temporaryFolder();
    const openssl = (...args: readonly string[]): Promise<unknown> =>
      promisify(execFile)('openssl', [...args], { cwd: folder });
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    await openssl('req', '-x509', ...key, '-days', '2', '-subj', '/CN=test CA', '-keyout', 'ca.key', '-out', 'ca.pem');
    for (const name of ['server', 'client']) {
      await openssl(
        'req',
        '-new',
        ...key,
        '-subj',
        `/CN=${name}`,
        '-addext',
        'subjectAltName=DNS:localhost,IP:127.0.0.1',
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
      );
      await openssl(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.pem',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-days',
        '2',
        '-copy_extensions',
        'copy',
        '-out',
        `${name}.pem`,
      );
    }
    return folder;
  }

  it('is spoken to with a client certificate, and refused without by name', WHOLE_RUN, async () => {
    const folder = await certificates();
    const file = (name: string): string => join(folder, name);
    const env = {
      REDIS_TLS_CA_FILE: file('ca.pem'),
      REDIS_TLS_CERT_FILE: file('client.pem'),
      REDIS_TLS_KEY_FILE: file('client.key'),
    };
    const port = await freePort();
    const url = `rediss://localhost:${port}`;
    const tls = { tlsCaFile: file('ca.pem'), tlsCertFile: file('client.pem'), tlsKeyFile: file('client.key') };
    const server = [
      '--tls-cert-file',
      file('server.pem'),
      '--tls-key-file',
      file('server.key'),
      '--tls-ca-cert-file',
      file('ca.pem'),
    ];
    await ownRedis({
      port,
      reach: { url, ...tls },
      extraArguments: ['--port', '0', '--tls-port', String(port), ...server],
    });
    await expectWholeRun('tls', ['--redis', url], env);

    expect(await refusal(['--redis', url])).toMatch(
      /received a certificate that is not trusted.*\n.*REDIS_TLS_CA_FILE/,
    );
    // The server's alert may be lost behind the end of the connection.
    const bare = await run(['enqueue', made.list, ...NULL_REQUEST, '--out', join(made.root, 'bare'), '--redis', url], {
      env: { REDIS_TLS_CA_FILE: file('ca.pem') },
    });
    expect(bare.stderr).toMatch(/^Expected a Redis server at rediss:.* but received .*\n.*REDIS_TLS_CERT_FILE.*\n$/);
    expect(bare.code).toBe(1);
    const half = await run(['work', '--redis', url], { env: { REDIS_TLS_CERT_FILE: file('client.pem') } });
    expect(half.stderr).toContain('Expected a client certificate for Redis together with its key');
    const plain = await run(['work', '--redis', `redis://localhost:${port}`], { env });
    expect(plain.stderr).toContain('Expected an address with TLS');
    const absent = await run(['work', '--redis', url], { env: { REDIS_TLS_CA_FILE: file('absent.pem') } });
    expect(absent.stderr).toMatch(
      /Expected a readable PEM file for REDIS_TLS_CA_FILE but received '.*absent.pem' \(ENOENT/,
    );
    expect([half.code, plain.code, absent.code]).toEqual([2, 2, 2]);
  });
});

describe('a Redis', () => {
  it('on a socket, with a prefix, another database and a password of any characters', WHOLE_RUN, async () => {
    const socket = join(await temporaryFolder(), 'redis.sock');
    const password = 'p@ss:w/rd?#% &=';
    const redis = await ownRedis({ password, extraArguments: ['--unixsocket', socket] });
    const flags = ['--redis', `unix://:${encodeURIComponent(password)}@${socket}?db=3`, '--redis-prefix', 'team:a'];
    await expectWholeRun('socket', flags);
    const out = join(made.root, 'left');
    await run(['enqueue', made.list, ...NULL_REQUEST, '--limit', '5', '--out', out, ...flags]);
    const keys = await withClient(`${redis.url}/3`, client => client.keys('*'));
    expect(keys.length).toBeGreaterThan(5);
    expect(keys.every(key => key.startsWith('team:a:layertap:'))).toBe(true);
    expect(await withClient(redis.url, client => client.dbsize())).toBe(0);
    // Raw, as somebody pastes it: only what belongs to a query or an escape needs its code.
    const raw = await run([
      'status',
      out,
      '--redis',
      `redis://:p@ss:w/rd?#% &=@127.0.0.1:${redis.port}/3`,
      '--redis-prefix',
      'team:a',
    ]);
    expect(raw.stdout).toContain('queue: 5 waiting');
  });

  it('with a user who has the documented rights, and no others', WHOLE_RUN, async () => {
    const guide = await readFile(new URL('../../docs/scaling.md', import.meta.url), 'utf8');
    const rights = /ACL SETUSER layertap on >PASSWORD (.*)/.exec(guide)?.[1]?.split(' ') ?? [];
    const redis = await ownRedis();
    await withClient(redis.url, async client => {
      await client.call('ACL', 'SETUSER', 'layertap', 'on', '>s3cret', ...rights);
      await client.call(
        'ACL',
        'SETUSER',
        'reader',
        'on',
        '>s3cret',
        '~*',
        '-@all',
        '+@read',
        '+@connection',
        '+info',
        '+eval',
        '+evalsha',
        '+time',
      );
      await client.call(
        'ACL',
        'SETUSER',
        'elsewhere',
        'on',
        '>s3cret',
        ...rights.map(word => word.replace('~bull:layertap:', '~other:')),
      );
    });
    const as = (user: string): readonly string[] => ['--redis', `redis://${user}:s3cret@127.0.0.1:${redis.port}`];
    await expectWholeRun('rights', as('layertap'));
    const worker = startService('worker', { REDIS_URL: as('layertap')[1] ?? '', LAYERTAP_PROCESSES: '1' });
    await worker.says(/is ready/);
    const health = new URL('../../dist/services/worker/src/health.js', import.meta.url).pathname;
    const checked = await promisify(execFile)(process.execPath, [health], {
      env: { ...process.env, REDIS_URL: as('layertap')[1] },
    });
    expect(checked.stdout).toMatch(/Redis heard of this machine's worker \d+ s ago/);
    for (const user of ['reader', 'elsewhere'])
      expect(await refusal(as(user))).toMatch(/received a lack of rights \(.*\n.*docs\/scaling\.md/);
    const denied = await withClient(redis.url, client => client.call('ACL', 'LOG'));
    expect(JSON.stringify(denied)).not.toContain('"username","layertap"');
  });

  it('without that database is refused, and not used in another one', async () => {
    const redis = await ownRedis();
    expect(await refusal(['--redis', `${redis.url}/99`])).toContain(
      `Expected a database 99 of Redis at ${redis.url}/99 but it has none`,
    );
    expect(await withClient(redis.url, client => client.dbsize())).toBe(0);
  });

  it('that may drop shards is refused, unless that is allowed', async () => {
    const redis = await ownRedis({ extraArguments: ['--maxmemory-policy', 'allkeys-lru', '--maxmemory', '100mb'] });
    const flags = ['--redis', redis.url];
    expect(await refusal(flags)).toMatch(
      /Expected maxmemory-policy noeviction .* received allkeys-lru.*\n.*REDIS_ALLOW_EVICTION=1/,
    );
    const out = join(made.root, 'evicting');
    const allowed = await run(['enqueue', made.list, ...NULL_REQUEST, '--limit', '3', '--out', out, ...flags], {
      env: { REDIS_ALLOW_EVICTION: '1' },
    });
    expect(allowed.stderr).toContain('shards may vanish from the queue');
    expect(allowed.code).toBe(0);
  });

  it(
    'that is a replica is refused by a producer, which names the master, and waited for by a worker',
    WHOLE_RUN,
    async () => {
      const master = await ownRedis();
      const replica = await ownRedis({ extraArguments: ['--replicaof', `127.0.0.1 ${master.port}`] });
      await withClient(replica.url, client =>
        waitUntil('it follows', async () => isLinked(await client.info('replication'))),
      );
      const refused = await run([
        'enqueue',
        made.list,
        ...NULL_REQUEST,
        '--out',
        join(made.root, 'replica'),
        '--redis',
        replica.url,
      ]);
      expect(refused.stderr).toContain(
        `Expected a master at ${replica.url} but received a replica of 127.0.0.1:${master.port}`,
      );
      expect(refused.code).toBe(1);
      const worker = start(['work', '--redis', replica.url, ...SMALL_WORKER]);
      await worker.says(/received a replica of .*; trying again/);
      await withClient(replica.url, client => client.call('REPLICAOF', 'NO', 'ONE'));
      await worker.says(/worker \S+ is ready/);
      expect((await stopWorker(worker)).code).toBe(0);
    },
  );

  it('that stops being the master in place is one line, and the run ends when it is one again', WHOLE_RUN, async () => {
    const other = await ownRedis({ extraArguments: ['--repl-diskless-sync-delay', '0'] });
    const redis = await ownRedis();
    const out = join(made.root, 'demoted');
    const worker = start(['work', '--redis', redis.url, ...SMALL_WORKER]);
    const producer = start(['enqueue', made.list, ...NULL_REQUEST, '--out', out, '--redis', redis.url, '--wait']);
    await untilDone(out, 5);
    await withClient(redis.url, async client => {
      // What the queue holds goes with the role: a replica takes over what its master has, which is nothing.
      await client.call('REPLICAOF', '127.0.0.1', String(other.port));
      await waitUntil('it follows', async () => isLinked(await client.info('replication')));
      await worker.says(/lost Redis at .*READONLY/);
      const connections = async (): Promise<number> =>
        Number(/total_connections_received:(\d+)/.exec(await client.info('stats'))?.[1]);
      const before = await connections();
      await waitUntil('both have come back several times', async () => (await connections()) > before + 8);
      await client.call('REPLICAOF', 'NO', 'ONE');
    });
    await worker.says(/is back/);
    const produced = await producer.ended;
    expect(produced.stderr).toMatch(/the queue had lost \d+ of the \d+ shards left/);
    expect(produced.code).toBe(0);
    await expectClean(out, ROWS);
    const { stderr } = await stopWorker(worker);
    expect(countOf(stderr, /READONLY/)).toBe(1);
    expect(countOf(stderr, /warn/)).toBeLessThanOrEqual(3);
  });

  it('that is killed for good keeps neither worker nor producer from being stopped', WHOLE_RUN, async () => {
    const redis = await ownRedis();
    const out = join(made.root, 'killed');
    const [busy, idle] = [
      ['--redis', redis.url],
      ['--redis', redis.url, '--queue', 'idle'],
    ];
    const workers = [start(['work', ...busy, ...SMALL_WORKER]), start(['work', ...idle, ...SMALL_WORKER])];
    const producer = start(['enqueue', made.list, ...NULL_REQUEST, '--out', out, ...busy, '--wait']);
    await untilDone(out, 5);
    await redis.close();
    const all = [...workers, producer];
    await Promise.all(all.map(process => process.says(/lost Redis/)));
    for (const process of all) process.kill('SIGTERM');
    expect((await Promise.all(all.map(({ ended }) => ended))).map(({ code }) => code)).toEqual([0, 0, 143]);
  });

  it('that stands still is no answer, for a producer and for the doctor', WHOLE_RUN, async () => {
    const redis = await ownRedis({ password: 'hidden' });
    process.kill(redis.pid, 'SIGSTOP');
    onTestFinished(() => void process.kill(redis.pid, 'SIGCONT'));
    const refused = await run([
      'enqueue',
      made.list,
      ...NULL_REQUEST,
      '--out',
      join(made.root, 'still'),
      '--redis',
      redis.url,
    ]);
    expect(refused.stderr).toMatch(/received no answer \(no answer within/);
    const examined = await run(['doctor'], { env: { REDIS_URL: `redis://127.0.0.1:${redis.port}?password=hidden` } });
    expect(examined.stdout).toMatch(/warn {4}Redis .*\?password=\*\*\* but received no answer/);
    expect(examined.stdout + refused.stderr).not.toContain('hidden');
  });
});

describe('Valkey', () => {
  it('does a whole run', WHOLE_RUN, async ({ skip }) => {
    const program = await findValkey();
    if ('reason' in program) return skip(program.reason);
    const valkey = await startRedisServer(program);
    onTestFinished(() => valkey.close());
    await expectWholeRun('valkey', ['--redis', valkey.url.replace('redis:', 'valkey:')]);
    const examined = await run(['doctor'], { env: { REDIS_URL: valkey.url } });
    expect(examined.stdout).toMatch(/ok {6}Redis .* is Valkey 9\.\d+\.\d+, maxmemory-policy noeviction/);
  });
});
