// Runs behind real Sentinels that replace the master under them: what Redis lost is queued again, and no row is missing or double.

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBullmqQueue } from '../../shared/src/queues/bullmq.ts';
import { run, start } from '../support/layertap.ts';
import { readJson } from '../support/read-rows.ts';
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
import { openRedisSentinels, type RedisSentinels } from '../support/redis-sentinels.ts';
import { waitUntil } from '../support/wait-until.ts';

const ROWS = 300;
const PASSWORDS = { password: 'server-pa55', sentinelPassword: 'sentinel-pa55' };
const made = useNullList(ROWS);

describe('a master behind Sentinels', { timeout: 180_000 }, () => {
  let redis: RedisSentinels;

  beforeAll(async () => {
    redis = await openRedisSentinels(PASSWORDS);
  });
  afterAll(() => redis?.close());

  it('is followed through a failover, and what the queue lost is queued again, by a producer that waits and by resume', async () => {
    const queue = ['--redis', redis.url];
    const [own, other] = [join(made.root, 'own'), join(made.root, 'other')];
    const worker = start(['work', ...queue, ...SMALL_WORKER]);
    const producer = start(['enqueue', made.list, ...NULL_REQUEST, '--out', own, ...queue, '--wait']);
    await untilDone(own, 10);
    expect((await run(['enqueue', made.list, ...NULL_REQUEST, '--out', other, ...queue])).code).toBe(0);

    const master = await redis.master();
    process.kill(master.pid, 'SIGKILL');
    await waitUntil('another server is the master', async () => (await redis.master()).port !== master.port);
    await worker.says(/is back/);
    await producer.says(/is back/);
    const stopped = await stopWorker(worker);
    expect(stopped.code).toBe(0);
    expect(countOf(stopped.stderr, /lost Redis at redis\+sentinel:/)).toBe(1);
    expect(countOf(stopped.stderr, /READONLY|Connection is closed/)).toBe(0);

    // What a replica had not received yet is gone with the master: here all of them, while the other run fills the queue.
    const jobs = await openBullmqQueue({ url: redis.url });
    await jobs.forget((await readJson<{ runId: string }>(own, 'run.json')).runId);
    await producer.says(/the queue had lost \d+ of the \d+ shards left: queued them again/);
    await jobs.forget((await readJson<{ runId: string }>(other, 'run.json')).runId);
    await jobs.close();
    const status = await run(['status', other, ...queue]);
    expect(status.stdout).toContain(`${ROWS - (await receiptsIn(other))} shards of this run are not in it`);
    expect(status.stdout).toContain(`npx layertap resume ${other} --redis redis+sentinel://:***@`);

    const next = start(['work', ...queue, ...SMALL_WORKER]);
    const resumed = await run(['resume', other, ...queue, '--wait']);
    expect(resumed.code).toBe(0);
    expect((await producer.ended).code).toBe(0);
    await expectClean(own, ROWS);
    await expectClean(other, ROWS);
    const ended = await stopWorker(next);
    for (const { stdout, stderr } of [stopped, ended, resumed, await producer.ended])
      expect(stdout + stderr).not.toMatch(/pa55| {4}at /);
  });

  it('keeps no process from being stopped when all Sentinels and servers are gone', async () => {
    const lost = await openRedisSentinels();
    const worker = start(['work', '--redis', lost.url, ...SMALL_WORKER]);
    await worker.says(/worker \S+ is ready/);
    await lost.close();
    await worker.says(/lost Redis/);
    worker.kill('SIGTERM');
    expect((await worker.ended).code).toBe(0);
    const late = start(['work', '--redis', lost.url, ...SMALL_WORKER]);
    await late.says(/Expected Sentinels at .* but received no answer \(ECONNREFUSED\); trying again/);
    late.kill('SIGTERM');
    expect((await late.ended).code).toBe(143);
  });

  it.each(['enqueue', 'work'])('refuses what %s cannot use by name', async command => {
    const [sentinel] = redis.sentinels;
    const server = await redis.master();
    const at = `127.0.0.1:${sentinel?.port}`;
    const given =
      command === 'work' ? ['work'] : ['enqueue', made.list, ...NULL_REQUEST, '--out', join(made.root, 'refused')];
    const cases = [
      [
        `redis+sentinel://:server-pa55@${at}/absent?sentinel_password=sentinel-pa55`,
        "Expected a master named 'absent' of the Sentinels at",
      ],
      [
        `redis+sentinel://:server-pa55@${at}/mymaster`,
        /Expected Sentinels at .* but received a request for a password/,
      ],
      [
        `redis+sentinel://:server-pa55@${at}/mymaster?sentinel_password=wrong`,
        /Expected Sentinels at .* but received a refusal of the password/,
      ],
      [
        `redis+sentinel://:wrong@${at}/mymaster?sentinel_password=sentinel-pa55`,
        /Expected the master at .* but received a refusal of the password/,
      ],
      [
        `redis+sentinel://${at.replace(String(sentinel?.port), String(server.port))}/mymaster?sentinel_password=server-pa55`,
        'a Redis server, which is no Sentinel',
      ],
      [`redis://:sentinel-pa55@${at}`, `Expected a Redis server at redis://:***@${at} but received a Sentinel`],
    ] as const;
    for (const [url, message] of cases) {
      const refused = await run([...given, '--redis', url]);
      expect(refused.stderr).toMatch(message);
      expect(refused.stderr).not.toMatch(/pa55| {4}at /);
      expect(refused.code).toBe(1);
    }
  });

  it('that none of its Sentinels reach is refused', async () => {
    const refused = await run([
      'enqueue',
      made.list,
      ...NULL_REQUEST,
      '--out',
      join(made.root, 'nobody'),
      '--redis',
      'redis+sentinel://127.0.0.1:1,127.0.0.1:2/main',
    ]);
    expect(refused.stderr).toContain(
      'Expected Sentinels at redis+sentinel://127.0.0.1:1,127.0.0.1:2/main but received no answer (ECONNREFUSED)',
    );
    expect(refused.code).toBe(1);
  });
});
