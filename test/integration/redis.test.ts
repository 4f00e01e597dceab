// Producer and workers over a real Redis, as commands and as services: every row once, whatever Redis goes through.

import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { jsonLines, type Running, run, start, startService } from '../support/layertap.ts';
import { useOwnQueues } from '../support/own-queues.ts';
import { engineProcessesOf, isRunning } from '../support/processes.ts';
import { readJson, rowDigests } from '../support/read-rows.ts';
import { openOwnRedis, redisUrl } from '../support/redis.ts';
import { openSlammingServer } from '../support/slamming-server.ts';
import { waitUntil } from '../support/wait-until.ts';

const ROWS = 120;
const REQUEST = ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'wasm', '--batch', '4', '--shard-size', '8'];
const SHARDS = ROWS / 8;
const demo = useDemoSet();
/** Other test files share the Redis: each test has a queue of its own. */
const queueName = useOwnQueues('e2e');

async function closeServer(server: { close(): Promise<void> }): Promise<void> {
  await server.close();
}

async function ownRedis(options: Parameters<typeof openOwnRedis>[0] = {}): ReturnType<typeof openOwnRedis> {
  const redis = await openOwnRedis(options);
  onTestFinished(() => closeServer(redis));
  return redis;
}

async function receiptsIn(out: string): Promise<readonly string[]> {
  const names = await readdir(join(out, 'receipts', '000')).catch(() => []);
  return names.filter(name => name.endsWith('.json'));
}

async function workersOf(out: string): Promise<ReadonlySet<string>> {
  const receipts = await receiptsIn(out);
  const names = receipts.map(async name => {
    const receipt = await readJson<{ worker: { name: string } }>(out, 'receipts', '000', name);
    return receipt.worker.name;
  });
  return new Set(await Promise.all(names));
}

async function expectWhole(out: string): Promise<void> {
  const verified = await run(['verify', out]);
  expect(verified.stdout).toContain(`clean: ${ROWS} images`);
  expect(await readJson(out, 'summary.json')).toMatchObject({ rows: ROWS, ok: ROWS, failed: 0, shards: SHARDS });
}

async function stop(worker: Running): Promise<void> {
  const engines = engineProcessesOf(worker.pid);
  worker.kill('SIGTERM');
  const { code, stderr } = await worker.ended;
  expect(stderr).toContain('finishing the shards in hand');
  expect(code).toBe(0);
  expect(engines.filter(isRunning)).toEqual([]);
}

/** What its engine processes told of model loads, in the order of time. */
function loadsOf(worker: Running): readonly Readonly<Record<string, unknown>>[] {
  return jsonLines(worker.output()).filter(line => String(line.message).startsWith('loaded '));
}

describe('commands over Redis', () => {
  it('a producer that waits and two workers do every row once', async () => {
    const queue = ['--redis', redisUrl(), '--queue', queueName()];
    const list = await demo.longList(ROWS);
    const workers = [start(['work', ...queue, '--json']), start(['work', ...queue])];
    await Promise.all(workers.map(worker => worker.says(/worker \S+ is ready/)));

    const seen = new Set<string>();
    // A worker that warms up late may find a run done by the other one: then there is another run.
    for (let round = 0; round < 5 && seen.size < 2; round++) {
      const out = join(demo.root, `two-workers-${round}`);
      const produced = await run(['enqueue', list, ...REQUEST, '--out', out, ...queue, '--wait', '--json']);
      expect(produced.stderr).toContain(`${SHARDS} of ${SHARDS} shards queued`);
      expect(jsonLines(produced.stdout)).toMatchObject([{ event: 'summary', rows: ROWS, failed: 0, out }]);
      expect(produced.code).toBe(0);
      await expectWhole(out);
      for (const name of await workersOf(out)) seen.add(name);
    }
    expect([...seen].map(name => Number(name.split('-').at(-1))).sort()).toEqual(workers.map(({ pid }) => pid).sort());
    await Promise.all(workers.map(stop));
  });

  it('a producer that does not wait leaves the summary to the workers', async () => {
    const queue = ['--redis', redisUrl(), '--queue', queueName()];
    const out = join(demo.root, 'not-waiting');
    const produced = await run(['enqueue', await demo.longList(ROWS), ...REQUEST, '--out', out, ...queue]);
    expect(produced.code).toBe(0);
    expect(produced.stderr).toContain('layertap work --redis');
    const waiting = await run(['status', out, ...queue]);
    expect(waiting.stdout).toContain(`unfinished: 0 of ${ROWS} images`);
    expect(waiting.stdout).toContain(`queue: ${SHARDS} waiting, 0 active, 0 delayed, 0 failed`);

    const worker = start(['work', ...queue]);
    await worker.says(new RegExp(`run run-\\w+ is done: ${ROWS} ok, 0 failed`));
    await expectWhole(out);
    await stop(worker);
    const done = await run(['status', out, ...queue, '--json']);
    expect(jsonLines(done.stdout)[0]).toMatchObject({ state: 'done', queue: { waiting: 0, active: 0, failed: 0 } });
  });

  it('a job of an unknown schema version fails at once with the reason, and the next one is done', async () => {
    const name = queueName();
    const connection = new Redis(redisUrl(), { maxRetriesPerRequest: null });
    const raw = new Queue(name, { connection });
    onTestFinished(async () => {
      await raw.close();
      connection.disconnect();
    });
    await raw.add('shard', { version: 99, out: '/x', runId: 'r', fingerprint: 'f', shard: 0 }, { attempts: 3 });
    const worker = start(['work', '--redis', redisUrl(), '--queue', name]);
    await worker.says(/error: .*job schema version 99, this worker knows 1: upgrade the worker/);
    const [failed] = await raw.getFailed();
    expect(failed?.attemptsMade).toBe(1);
    expect(failed?.failedReason).toContain('job schema version 99');

    const out = join(demo.root, 'after-unknown');
    const queue = ['--redis', redisUrl(), '--queue', name];
    const flags = [...REQUEST, '--limit', '9', '--out', out, ...queue, '--wait'];
    const produced = await run(['enqueue', demo.images, ...flags]);
    expect(produced.code).toBe(0);
    await stop(worker);
  });

  it('Ctrl-C stops a worker after its shard, and a killed one is replaced by any other', async () => {
    const queue = ['--redis', redisUrl(), '--queue', queueName()];
    const out = join(demo.root, 'replaced');
    await run(['enqueue', await demo.longList(ROWS), ...REQUEST, '--out', out, ...queue]);
    const first = start(['work', ...queue]);
    await waitUntil('a shard is done', async () => (await receiptsIn(out)).length > 0);
    first.kill('SIGINT');
    expect((await first.ended).code).toBe(0);
    const done = (await receiptsIn(out)).length;
    expect(done).toBeLessThan(SHARDS);
    // Given back at once, not after a lock has run out.
    const status = await run(['status', out, ...queue, '--json']);
    expect(jsonLines(status.stdout)[0]?.queue).toMatchObject({ waiting: SHARDS - done, active: 0 });

    const second = start(['work', ...queue]);
    await second.says(/is done: 120 ok/);
    await expectWhole(out);
    await stop(second);
  });
});

describe('a producer that waits', () => {
  it('tells why workers decline its shards, and ends with the run when the cause is mended', async () => {
    const queue = ['--redis', redisUrl(), '--queue', queueName()];
    const folder = join(demo.root, 'other-model');
    await cp(dirname(DEMO_MODEL), folder, { recursive: true });
    const request = ['--model', folder, '--layer', 'features', '--engine', 'wasm', '--shard-size', '8'];
    const out = join(demo.root, 'unable');
    const producer = start(['enqueue', demo.images, ...request, '--out', out, ...queue, '--wait']);
    await producer.says(/6 of 6 shards queued/);
    const weights = await readFile(join(folder, 'weights.bin'));
    const other = Buffer.from(weights);
    other.writeFloatLE(0.5, 1000);
    await writeFile(join(folder, 'weights.bin'), other);
    const worker = start(['work', ...queue]);
    await producer.says(/workers decline shards, such as shard \d: Expected the model '.*to have sha256/);
    const status = await run(['status', out, ...queue]);
    expect(status.stdout).toMatch(/shard \d was declined: Expected the model '/);
    await writeFile(join(folder, 'weights.bin'), weights);
    const { code } = await producer.ended;
    expect(code).toBe(0);
    await stop(worker);
  });

  it('ends with the reasons where shards cannot be done', async () => {
    const queue = ['--redis', redisUrl(), '--queue', queueName()];
    const out = join(demo.root, 'forged');
    const producer = start(['enqueue', demo.images, ...REQUEST, '--out', out, ...queue, '--wait']);
    await producer.says(/shards queued/);
    // Another run in the directory: no worker will ever have the one that was queued.
    const record = join(out, 'run.json');
    await writeFile(record, (await readFile(record, 'utf8')).replace(/"runId": "run-/, '"runId": "run-of-another-'));
    const worker = start(['work', ...queue]);
    const { code, stderr } = await producer.ended;
    expect(stderr).toMatch(/Some shards could not be done: shard \d after 1 attempts: Expected run run-/);
    expect(stderr).toContain('layertap resume');
    expect(code).toBe(1);
    const status = await run(['status', out, ...queue]);
    expect(status.stdout).toContain('queue: 0 waiting, 0 active, 0 delayed, 6 failed');
    await stop(worker);
  });

  it('says that the run goes on without it when it is stopped', async () => {
    const queue = ['--redis', redisUrl(), '--queue', queueName()];
    const out = join(demo.root, 'left-alone');
    const producer = start(['enqueue', demo.images, ...REQUEST, '--out', out, ...queue, '--wait']);
    await producer.says(/shards queued/);
    producer.kill('SIGINT');
    const { code, stderr } = await producer.ended;
    expect(stderr).toContain('the workers go on with it');
    expect(stderr).toContain(`layertap status ${out}`);
    expect(code).toBe(130);
  });

  it('is not needed to see how far a run is, nor is Redis', async () => {
    const out = join(demo.root, 'left-alone');
    const { code, stdout } = await run(['status', out], { env: { REDIS_URL: 'redis://:secret@127.0.0.1:1' } });
    expect(stdout).toMatch(
      /^unfinished: 0 of 45 images, 0 of 6 shards\nqueue: Expected a Redis server at redis:\/\/:\*\*\*@/,
    );
    expect(code).toBe(0);
  });
});

describe('services from the environment alone', () => {
  it('do a run, then another of the same request with the model loaded once', async () => {
    const env = { REDIS_URL: redisUrl(), LAYERTAP_QUEUE: queueName() };
    const worker = startService('worker', { ...env, LAYERTAP_LOG_LEVEL: 'debug', LAYERTAP_PROCESSES: '1' });
    const request = {
      LAYERTAP_SOURCE: await demo.longList(ROWS),
      LAYERTAP_MODEL: DEMO_MODEL,
      LAYERTAP_LAYER: 'features',
      LAYERTAP_ENGINE: 'wasm',
      LAYERTAP_BATCH: '4',
      LAYERTAP_SHARD_SIZE: '8',
    };
    for (const name of ['service-1', 'service-2']) {
      const out = join(demo.root, name);
      const producer = startService('producer', { ...env, ...request, LAYERTAP_OUT: out });
      const { code, stderr } = await producer.ended;
      expect(jsonLines(stderr).map(line => line.message)).toContainEqual(
        expect.stringMatching(`is done: ${ROWS} ok, 0 failed`),
      );
      expect(code).toBe(0);
      await expectWhole(out);
    }
    expect(await rowDigests(join(demo.root, 'service-1'))).toEqual(await rowDigests(join(demo.root, 'service-2')));
    expect(loadsOf(worker)).toMatchObject([{ loads: 1 }]);

    // Another request is another load, of the same process.
    const other = { ...request, LAYERTAP_LAYER: 'conv4', LAYERTAP_POOL: 'mean', LAYERTAP_LIMIT: '8' };
    const out = join(demo.root, 'service-3');
    const producer = startService('producer', { ...env, ...other, LAYERTAP_OUT: out });
    expect((await producer.ended).code).toBe(0);
    const [first, second] = loadsOf(worker);
    expect(loadsOf(worker)).toHaveLength(2);
    expect(second).toMatchObject({ loads: 2, pid: first?.pid });
    await stop(worker);
  });

  it('refuse a variable that is missing or wrong by its name', async () => {
    const missing = startService('producer', { LAYERTAP_MODEL: DEMO_MODEL });
    const wrong = startService('worker', { LAYERTAP_PROCESSES: 'many' });
    expect((await missing.ended).stderr).toMatch(/Expected (--source|LAYERTAP_SOURCE)/);
    expect((await wrong.ended).stderr).toContain(
      "Expected a whole number of at least 1, or auto for LAYERTAP_PROCESSES but received 'many'",
    );
    expect([(await missing.ended).code, (await wrong.ended).code]).toEqual([2, 2]);
  });
});

describe('a Redis of its own', () => {
  it('may lose everything: resume fills it again from the run directory', async () => {
    const redis = await ownRedis();
    const out = join(demo.root, 'flushed');
    await run(['enqueue', await demo.longList(ROWS), ...REQUEST, '--out', out, '--redis', redis.url]);
    const first = start(['work', '--redis', redis.url]);
    await waitUntil('some shards are done', async () => (await receiptsIn(out)).length >= 2);
    first.kill('SIGKILL');
    await first.ended;
    const done = await receiptsIn(out);
    expect(done.length).toBeLessThan(SHARDS);
    const client = new Redis(redis.url);
    await client.flushall();
    client.disconnect();

    const second = start(['work', '--redis', redis.url]);
    const resumed = await run(['resume', out, '--redis', redis.url, '--wait']);
    expect(resumed.stderr).toMatch(/\d+ of 15 shards queued/);
    expect(resumed.stderr).not.toContain('15 of 15');
    expect(resumed.code).toBe(0);
    await expectWhole(out);
    await stop(second);
  });

  it('that is not there yet is waited for by a worker, which says so once', async () => {
    const closed = await openSlammingServer(2);
    const worker = start(['work', '--redis', `redis://:secret@127.0.0.1:${closed.port}`]);
    await closed.tried;
    expect(worker.output()).toContain('trying again');
    await closed.close();
    await ownRedis({ port: closed.port, password: 'secret' });
    await worker.says(/worker \S+ is ready/);
    await stop(worker);
    // Twice only where the reason is another one: while the port changes hands, nobody listens.
    const lines = worker.output().match(/.*trying again.*/g) ?? [];
    expect(lines).toEqual([...new Set(lines)]);
    expect(worker.output()).toContain(`redis://:***@127.0.0.1:${closed.port}`);
    expect(worker.output()).not.toContain('secret');
  });

  it('that never comes does not keep a worker from being stopped', async () => {
    const worker = start(['work', '--redis', 'redis://127.0.0.1:1']);
    await worker.says(/trying again/);
    worker.kill('SIGTERM');
    expect((await worker.ended).code).toBe(143);
  });
});
