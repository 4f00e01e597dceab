// Passwords and tokens of a whole run, done and refused: none of them is in any file, any line of output or any job.
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { filesBelow } from '../support/files-below.ts';
import { type RunResult, run, start } from '../support/layertap.ts';
import { skipAllWithout } from '../support/needs.ts';
import { runPython } from '../support/python.ts';
import { openOwnRedis } from '../support/redis.ts';
import { waitUntil } from '../support/wait-until.ts';

skipAllWithout('python');

const demo = useDemoSet();
const [PASSWORD, USER_SECRET, TOKEN] = ['redis-pa55word', 'http-pa55word', 'query-t0ken'] as const;
const SECRETS = [PASSWORD, USER_SECRET, TOKEN, Buffer.from(`user:${USER_SECRET}`).toString('base64')];

/** A server that hands out the model to whoever knows user and token, with its digest. */
async function serveModel(): Promise<{ readonly url: string; readonly sha256: string; readonly port: number }> {
  const archive = join(demo.root, 'model.zip');
  const script = 'import shutil\nshutil.make_archive(given[0][:-4], "zip", given[1])\nprint("null")';
  await runPython(script, [archive, dirname(DEMO_MODEL)]);
  const bytes = await readFile(archive);
  const server = createServer(({ url, headers }, response) => {
    const known = url?.includes(TOKEN) === true && headers.authorization !== undefined;
    response.statusCode = known ? 200 : 403;
    response.end(known ? bytes : `forbidden: ${url}`);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const url = `http://user:${USER_SECRET}@127.0.0.1:${port}/demo.zip?token=${TOKEN}`;
  return { url, sha256: createHash('sha256').update(bytes).digest('hex'), port };
}

/** Everything that the jobs of this Redis hold, as text. */
async function jobsOf(url: string): Promise<string> {
  const client = new Redis(url);
  try {
    const keys = await client.keys('*');
    const values = keys.map(async key => ((await client.type(key)) === 'hash' ? client.hgetall(key) : []));
    return JSON.stringify([keys, await Promise.all(values)]);
  } finally {
    client.disconnect();
  }
}

async function expectNoSecret(where: string, text: string | Buffer): Promise<void> {
  for (const secret of SECRETS) expect([where, secret, text.includes(secret)]).toEqual([where, secret, false]);
}

it('no secret of a run is in its files, its lines or its jobs', { timeout: 600_000 }, async () => {
  const redis = await openOwnRedis({ password: PASSWORD });
  onTestFinished(() => redis.close());
  const model = await serveModel();
  const env = { LAYERTAP_CACHE: join(demo.root, 'cache'), LAYERTAP_LOG_LEVEL: 'debug' };
  const out = join(demo.root, 'out');
  const request = ['--layer', 'features', '--engine', 'wasm', '--shard-size', '8'];
  const flags = ['--model', `${model.url}#sha256=${model.sha256}`, ...request, '--redis', redis.url];
  const ended: [string, RunResult][] = [];
  const end = async (args: readonly string[]): Promise<RunResult> => {
    const result = await run(args, { env });
    ended.push([args[0] ?? '', result]);
    return result;
  };

  const worker = start(['work', '--redis', redis.url, '--processes', '1'], { env });
  expect(await end(['enqueue', demo.images, ...flags, '--out', out, '--wait'])).toMatchObject({ code: 0 });
  const jobs = await jobsOf(redis.url);
  for (const command of ['status', 'verify', 'resume', 'retry-failed', 'gc']) await end([command, out]);
  await end(['status', out, '--redis', redis.url]);
  await end(['explain', out, 'arrow/broken-truncated.jpg']);
  worker.kill('SIGTERM');
  await worker.ended;

  // Every refusal that has an address to tell.
  const closed = `redis://:${PASSWORD}@127.0.0.1:1`;
  const wrong = redis.url.replace(PASSWORD, `${PASSWORD}-wrong`);
  const refusals: readonly (readonly string[])[] = [
    ['enqueue', demo.images, ...flags.slice(0, -1), wrong, '--out', join(demo.root, 'refused')],
    ['enqueue', demo.images, ...flags.slice(0, -1), closed, '--out', join(demo.root, 'refused')],
    ['work', '--redis', `http://:${PASSWORD}@127.0.0.1:1`],
    ['gc', out, '--redis', wrong],
    ...[
      `${model.url}#sha256=${'0'.repeat(64)}`,
      `${model.url.replace('demo', 'other')}#sha256=${'1'.repeat(64)}`,
      `http://user:${USER_SECRET}@127.0.0.1:1/m.zip?token=${TOKEN}#sha256=${'2'.repeat(64)}`,
      model.url,
    ].map(url => ['extract', demo.images, '--model', url, ...request, '--out', join(demo.root, 'refused')]),
  ];
  for (const args of refusals) expect(await end(args)).toMatchObject({ code: expect.toSatisfy(code => code !== 0) });

  // A worker waits until its Redis is there.
  for (const address of [wrong, closed]) {
    const waiting = start(['work', '--redis', address], { env });
    await waitUntil('it says what it waits for', async () => waiting.output().includes('Expected a Redis server'));
    waiting.kill('SIGTERM');
    await waiting.ended;
    await expectNoSecret('a worker that waits', waiting.output());
  }

  await expectNoSecret('the worker', worker.output());
  await expectNoSecret('the jobs', jobs);
  for (const [command, { stdout, stderr }] of ended) await expectNoSecret(command, stdout + stderr);
  const files = [...(await filesBelow(out)), ...(await filesBelow(env.LAYERTAP_CACHE))];
  expect(files.length).toBeGreaterThan(20);
  for (const file of files) await expectNoSecret(file, await readFile(file));
  // The search finds what is there.
  await writeFile(join(out, 'leak.txt'), `token=${TOKEN}`);
  await expect(expectNoSecret('leak', await readFile(join(out, 'leak.txt')))).rejects.toThrow();
});
