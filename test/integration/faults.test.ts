// What goes wrong around a run through Redis: its memory, its encryption, the clock, a worker that sleeps, an output that goes.
// The chaos (test/chaos) does the rest at random.
import { execFile } from 'node:child_process';
import { readdir, rename } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { filesBelow } from '../support/files-below.ts';
import { type Running, run, start } from '../support/layertap.ts';
import { because, whyNot } from '../support/needs.ts';
import { openOwnRedis } from '../support/redis.ts';
import { waitUntil } from '../support/wait-until.ts';

const ROWS = 240;
/** A lock lasts 30 s. */
const BEYOND_LOCKS_MS = 33_000;
const REQUEST = ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'wasm', '--batch', '4', '--shard-size', '8'];
const demo = useDemoSet();

async function ownRedis(options: Parameters<typeof openOwnRedis>[0] = {}): ReturnType<typeof openOwnRedis> {
  const redis = await openOwnRedis(options);
  onTestFinished(() => redis.close());
  return redis;
}

async function receiptsIn(out: string): Promise<number> {
  const names = await readdir(join(out, 'receipts', '000')).catch(() => []);
  return names.filter(name => name.endsWith('.json')).length;
}

async function expectClean(out: string): Promise<void> {
  const { stdout, code } = await run(['verify', out]);
  expect([code, stdout]).toEqual([0, expect.stringContaining(`clean: ${ROWS} images`)]);
}

async function enqueue(out: string, redis: string, ...flags: readonly string[]): Promise<Running> {
  return start(['enqueue', await demo.longList(ROWS), ...REQUEST, '--out', out, '--redis', redis, ...flags]);
}

describe('a Redis whose memory is full', () => {
  it('is named to the producer, which loses nothing', async () => {
    const redis = await ownRedis({ extraArguments: ['--maxmemory', '100mb'] });
    const client = new Redis(redis.url);
    onTestFinished(() => client.disconnect());
    const out = join(demo.root, 'full');
    await client.config('SET', 'maxmemory', '1');
    const refused = await (await enqueue(out, redis.url)).ended;
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/memory of Redis is full[\s\S]*maxmemory/);
    await client.config('SET', 'maxmemory', '100mb');
    start(['work', '--redis', redis.url]);
    expect((await run(['resume', out, '--redis', redis.url, '--wait'])).code).toBe(0);
    await expectClean(out);
  });
});

describe('a Redis that stands still for longer than the locks last', () => {
  it('is gone on with: shards that two workers then have are published once', { timeout: 600_000 }, async () => {
    const redis = await ownRedis();
    const out = join(demo.root, 'still');
    const workers = [1, 2].map(() => start(['work', '--redis', redis.url, '--processes', '1']));
    const producer = await enqueue(out, redis.url, '--wait');
    await waitUntil('a shard is done', async () => (await receiptsIn(out)) > 0);
    process.kill(redis.pid, 'SIGSTOP');
    await pause(BEYOND_LOCKS_MS);
    process.kill(redis.pid, 'SIGCONT');
    expect((await producer.ended).code).toBe(0);
    await expectClean(out);
    for (const worker of workers) {
      worker.kill('SIGTERM');
      expect((await worker.ended).code).toBe(0);
    }
    await expectClean(out);
  });
});

describe.skipIf(whyNot('openssl'))(`a Redis that speaks TLS${because(whyNot('openssl'))}`, () => {
  it('is used with its certificate and password, and refused by name without', async () => {
    const folder = demo.root;
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    await promisify(execFile)('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
      ...['-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate],
    ]);
    const port = await freePort();
    const tls = ['--tls-port', `${port}`, '--tls-cert-file', certificate, '--tls-key-file', key];
    await ownRedis({
      password: 's3cret',
      extraArguments: [...tls, '--tls-ca-cert-file', certificate, '--tls-auth-clients', 'no'],
    });
    const url = `rediss://:s3cret@localhost:${port}`;
    const env = { NODE_EXTRA_CA_CERTS: certificate };
    const out = join(folder, 'tls');
    const worker = start(['work', '--redis', url], { env });
    const enqueued = start(['enqueue', await demo.longList(ROWS), ...REQUEST, '--out', out, '--redis', url, '--wait'], {
      env,
    });
    const { code, stderr } = await enqueued.ended;
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    await expectClean(out);
    const untrusted = await run(['resume', out, '--redis', url]);
    expect(untrusted.code).toBe(1);
    expect(untrusted.stderr).toMatch(/certificate/);
    expect(`${untrusted.stderr}${stderr}${worker.output()}`).not.toContain('s3cret');
  });
});

describe('a worker', () => {
  it('whose clock jumps by an hour, ahead and back, does its shards', async () => {
    const redis = await ownRedis();
    const out = join(demo.root, 'clock');
    const jump = fileURLToPath(new URL('../support/jumping-clock.mjs', import.meta.url));
    const worker = start(['work', '--redis', redis.url, '--processes', '1'], {
      env: { NODE_OPTIONS: `--import ${jump}` },
    });
    const producer = await enqueue(out, redis.url, '--wait');
    for (const least of [2, 6, 12]) {
      await waitUntil(`${least} shards are done`, async () => (await receiptsIn(out)) >= least);
      worker.kill('SIGUSR2');
    }
    expect((await producer.ended).code).toBe(0);
    await expectClean(out);
  });

  it('that sleeps for longer than its locks publishes nothing twice', { timeout: 600_000 }, async () => {
    const redis = await ownRedis();
    const out = join(demo.root, 'asleep');
    const sleeper = start(['work', '--redis', redis.url, '--processes', '1']);
    const producer = await enqueue(out, redis.url, '--wait');
    await waitUntil('a shard is done', async () => (await receiptsIn(out)) > 0);
    // Its engine process goes on with what it has in hand, then waits for it.
    sleeper.kill('SIGSTOP');
    const other = start(['work', '--redis', redis.url, '--processes', '1']);
    // The other one takes over what is stalled after 30 s.
    expect((await producer.ended).code).toBe(0);
    sleeper.kill('SIGCONT');
    await expectClean(out);
    for (const worker of [sleeper, other]) {
      worker.kill('SIGTERM');
      expect((await worker.ended).code).toBe(0);
    }
    await expectClean(out);
  });
});

describe('an output that is removed under a run', () => {
  it('ends the producer and the embedded command with what is gone', async () => {
    const redis = await ownRedis();
    const out = join(demo.root, 'removed');
    const worker = start(['work', '--redis', redis.url, '--processes', '1']);
    const producer = await enqueue(out, redis.url, '--wait');
    await waitUntil('a shard is done', async () => (await receiptsIn(out)) > 0);
    worker.kill('SIGSTOP');
    await rename(out, `${out}-away`);
    const { code, stderr } = await producer.ended;
    worker.kill('SIGCONT');
    expect(code).toBe(1);
    worker.kill('SIGTERM');
    await worker.ended;
    // Folders may come again, files not.
    expect(await filesBelow(out).catch(() => [])).toEqual([]);
    expect(stderr).toMatch(/Expected a run in '.*removed' but it has no run\.json/);

    const embedded = join(demo.root, 'embedded');
    const list = await demo.longList(ROWS);
    const running = start(['extract', list, ...REQUEST, '--processes', '1', '--out', embedded]);
    await waitUntil('a shard is done', async () => (await receiptsIn(embedded)) > 0);
    running.kill('SIGSTOP');
    await rename(embedded, `${embedded}-away`);
    running.kill('SIGCONT');
    const ended = await running.ended;
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/run\.json/);
    expect(await filesBelow(embedded).catch(() => [])).toEqual([]);
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise(resolve => server.once('listening', resolve));
  const address = server.address();
  await new Promise(resolve => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
