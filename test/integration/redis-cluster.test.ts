// Runs through a real Redis Cluster, whose masters die under them: every row once, and one line for each outage.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JOB_VERSION, type ShardJob } from '../../shared/src/job.ts';
import { openBullmqQueue } from '../../shared/src/queues/bullmq.ts';
import { defer } from '../support/deferred.ts';
import { run, start } from '../support/layertap.ts';
import { openRedisCluster, type RedisCluster } from '../support/redis-cluster.ts';
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
import { waitUntil } from '../support/wait-until.ts';

const ROWS = 600;
const made = useNullList(ROWS);

describe('a Redis Cluster', { timeout: 180_000 }, () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await openRedisCluster({ password: 'p@ss:w/rd' });
  });
  afterAll(() => cluster?.close());

  it('is recognised at one node, keeps a queue in one slot, and outlives the death of its master', async () => {
    const out = join(made.root, 'one-node');
    const master = await cluster.masterOf('{bull:layertap}');
    // The address names a node that is going to die: whoever starts later knows the others.
    const queue = ['--redis', master.url];
    const worker = start(['work', ...queue, ...SMALL_WORKER]);
    const idle = start(['work', ...queue, '--queue', 'idle', ...SMALL_WORKER]);
    await Promise.all([worker, idle].map(one => one.says(/worker \S+ is ready/)));
    const producer = start(['enqueue', made.list, ...NULL_REQUEST, '--out', out, ...queue, '--wait']);
    await untilDone(out, 20);
    const health = await run(['status', out, ...queue]);
    expect(health.stdout).toMatch(/queue: \d+ waiting, \d active/);
    process.kill(master.pid, 'SIGKILL');
    const produced = await producer.ended;
    expect(produced.stderr).not.toContain('    at ');
    expect(produced.code).toBe(0);
    expect(produced.stdout).toContain(`rows      ${ROWS}: ${ROWS} ok`);
    await expectClean(out, ROWS);
    // Told once, with the node's own error, and once that it is back.
    for (const output of [produced.stderr, worker.output()]) {
      expect(countOf(output, /lost Redis/)).toBeLessThanOrEqual(1);
      expect(countOf(output, /MOVED|CLUSTERDOWN|Too many/)).toBe(0);
      expect(countOf(output, /is back/)).toBe(countOf(output, /lost Redis/));
    }
    expect(worker.output()).toMatch(
      new RegExp(`lost Redis at redis://:\\*\\*\\*@127.0.0.1:${master.port} \\(.*ECONNREFUSED`),
    );
    const keys = await cluster.each(client => client.keys('*'));
    expect(keys.flat().every(key => /^\{bull:(layertap|idle)\}:/.test(key))).toBe(true);
    // It makes its second connection only now, and the only node of its address is gone.
    const later = join(made.root, 'later');
    const request = [...NULL_REQUEST, '--limit', '5', '--out', later, '--redis', cluster.urls, '--queue', 'idle'];
    expect((await run(['enqueue', made.list, ...request])).code).toBe(0);
    await idle.says(/is done: 5 ok/);
    expect((await stopWorker(idle)).code).toBe(0);
    const { code, stderr } = await stopWorker(worker);
    expect(stderr).not.toContain('p@ss');
    expect(code).toBe(0);
  });

  it('is named by several nodes, of which some are gone', async () => {
    const out = join(made.root, 'several-nodes');
    const queue = ['--redis', cluster.urls, '--queue', 'other'];
    const produced = await run(['enqueue', made.list, ...NULL_REQUEST, '--limit', '30', '--out', out, ...queue]);
    expect(produced.code).toBe(0);
    const worker = start(['work', ...queue, ...SMALL_WORKER]);
    await worker.says(/is done: 30 ok/);
    await expectClean(out, 30);
    await stopWorker(worker);
    const gone = await run(['gc', out, ...queue]);
    expect(gone.stdout).toContain('queue: 0 jobs');
  });

  it('is used with the documented rights', async () => {
    const guide = await readFile(new URL('../../docs/scaling.md', import.meta.url), 'utf8');
    const rights = /ACL SETUSER layertap on >PASSWORD (.*)/.exec(guide)?.[1]?.split(' ') ?? [];
    const more = /In a cluster the keys are `(\S+)`, and `(\S+) (\S+)`/.exec(guide)?.slice(1) ?? [];
    await cluster.each(client => client.call('ACL', 'SETUSER', 'few', 'on', '>s3cret', ...rights, ...more));
    const url = cluster.urls.replace(/\/\/[^@]*@/, '//few:s3cret@');
    const queue = await openBullmqQueue({ url });
    const job: ShardJob = { version: JOB_VERSION, out: '/out', runId: 'rights', fingerprint: 'f', shard: 0 };
    await queue.add([job]);
    const done = defer<number>();
    const consumer = await queue.consume(async ({ shard }) => done.resolve(shard), { concurrency: 1 });
    expect(await done.promise).toBe(0);
    await consumer.close();
    await queue.close();
    const denied = await cluster.each(client => client.call('ACL', 'LOG'));
    expect(JSON.stringify(denied)).not.toContain('"few"');
  });

  it('has one database, and says so', async () => {
    const refused = await run([
      'enqueue',
      made.list,
      ...NULL_REQUEST,
      '--out',
      join(made.root, 'x'),
      '--redis',
      `${cluster.urls}/3`,
    ]);
    expect(refused.stderr).toContain('Expected database 0 of the Redis cluster');
    expect(refused.code).toBe(1);
  });

  it('that is gone altogether does not keep a worker or a producer from being stopped', async () => {
    const queue = ['--redis', cluster.urls, '--queue', 'last'];
    const out = join(made.root, 'gone');
    const worker = start(['work', ...queue, ...SMALL_WORKER]);
    await worker.says(/worker \S+ is ready/);
    const producer = start(['enqueue', made.list, ...NULL_REQUEST, '--out', out, ...queue, '--wait']);
    await waitUntil('a shard is done', async () => (await receiptsIn(out)) > 0);
    await cluster.close();
    await Promise.all([worker.says(/lost Redis/), producer.says(/lost Redis/)]);
    worker.kill('SIGTERM');
    producer.kill('SIGTERM');
    const [stopped, produced] = await Promise.all([worker.ended, producer.ended]);
    expect(stopped.code).toBe(0);
    expect(produced.stderr).toContain('Stopped waiting before the run was done');
    expect(produced.code).toBe(143);
    const late = await run(['enqueue', made.list, ...NULL_REQUEST, '--out', join(made.root, 'late'), ...queue]);
    expect(late.stderr).toMatch(/Expected a Redis cluster at .* but received no answer \(.*ECONNREFUSED/);
    expect(late.code).toBe(1);
  });
});
