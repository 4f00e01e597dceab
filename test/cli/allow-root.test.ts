// `--allow-root`: whatever a list, a link or a job in Redis says, nothing outside of the named folders is read or written.
import { cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBullmqQueue } from '../../shared/src/queues/bullmq.ts';
import { openRun } from '../../shared/src/run.ts';
import { openFileStorage } from '../../shared/src/storages/file.ts';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { run, start } from '../support/layertap.ts';
import { readRows } from '../support/read-rows.ts';
import { openOwnRedis } from '../support/redis.ts';
import { waitUntil } from '../support/wait-until.ts';

const demo = useDemoSet();
/** The only folder that is allowed; the demo's images lie beside it. */
let allowed: string;
let model: string;
let request: readonly string[];

beforeAll(async () => {
  allowed = join(demo.root, 'allowed');
  await cp(dirname(DEMO_MODEL), join(allowed, 'model'), { recursive: true });
  model = join(allowed, 'model/model.json');
  request = ['--model', model, '--layer', 'features', '--engine', 'wasm'];
});

describe('an embedded run', () => {
  it('reads no image outside, by whatever way it is named', async () => {
    await cp(demo.image(0, 0), join(allowed, 'inside.jpg'));
    await symlink(demo.image(0, 1), join(allowed, 'link.jpg'));
    await symlink(demo.images, join(allowed, 'folder'));
    await symlink('inside.jpg', join(allowed, 'harmless.jpg'));
    const outside = demo.image(1, 0);
    const lines = ['inside.jpg', 'harmless.jpg', 'link.jpg', `folder/${outside.split('/').slice(-2).join('/')}`];
    const list = join(allowed, 'list.csv');
    const named = [...lines, `../images/${outside.split('/').slice(-2).join('/')}`, outside, 'gone.jpg', '../gone.jpg'];
    await writeFile(list, `path\n${named.join('\n')}\n`);
    const out = join(allowed, 'out');
    const { code } = await run(['extract', list, ...request, '--out', out, '--allow-root', allowed]);
    expect(code).toBe(0);
    const codes = [...(await readRows(out)).values()].map(({ values }) => values.error_code);
    const no = 'not-allowed';
    expect(codes).toEqual([null, null, no, no, no, no, 'not-found', no]);
  });

  it('writes no output and reads no model outside', async () => {
    await writeFile(join(allowed, 'one.txt'), 'inside.jpg\n');
    const source = join(allowed, 'one.txt');
    const elsewhere = await run([
      'extract',
      source,
      ...request,
      '--out',
      join(demo.root, 'x'),
      '--allow-root',
      allowed,
    ]);
    expect(elsewhere.code).toBe(1);
    expect(elsewhere.stderr).toMatch(/Expected the output directory in one of the folders that --allow-root names/);
    const foreign = ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'wasm'];
    const other = await run(['extract', source, ...foreign, '--out', join(allowed, 'y'), '--allow-root', allowed]);
    expect(other.code).toBe(1);
    expect(other.stderr).toMatch(/Expected the model in one of the folders that --allow-root names/);
  });
});

describe('a job that somebody put into Redis', () => {
  it('makes a worker write nowhere but into a run of its id and fingerprint below the allowed folders', async () => {
    const redis = await openOwnRedis();
    const queue = await openBullmqQueue({ url: redis.url });
    try {
      const forbidden = join(demo.root, 'forbidden');
      await run(['enqueue', demo.images, ...request, '--out', forbidden, '--redis', redis.url]);
      const { runId, fingerprint } = await openRun(openFileStorage(forbidden));
      const empty = join(allowed, 'empty');
      await mkdir(empty);
      const lie = join(allowed, 'lie');
      await symlink(forbidden, lie);
      // A directory of its own, but for where its parts go.
      const hollow = join(allowed, 'hollow');
      await cp(forbidden, hollow, { recursive: true });
      await symlink(demo.images, join(hollow, 'parts'));
      const job = { version: 1 as const, shard: 0, runId, fingerprint };
      await queue.forget(runId);
      await queue.add([
        { ...job, out: forbidden },
        { ...job, out: lie, shard: 1 },
        { ...job, out: empty, runId: `${runId}x` },
        { ...job, out: join(allowed, '../forbidden'), runId: `${runId}y` },
        { ...job, out: hollow, shard: 2 },
      ]);
      const worker = start(['work', '--redis', redis.url, '--allow-root', allowed, '--processes', '1']);
      const failed = await waitUntil('the jobs are refused', async () => {
        const all = [...(await queue.failed(runId, 9)), ...(await queue.failed(`${runId}y`, 9))];
        return all.length === 4 && all;
      });
      for (const { reason, attempts } of failed) {
        expect(reason).toMatch(/Expected the output directory in one of the folders that --allow-root names/);
        expect(attempts).toBe(1);
      }
      expect(await readdir(forbidden)).toEqual(expect.not.arrayContaining(['parts', 'receipts']));
      expect(await readdir(empty)).toEqual([]);
      worker.kill('SIGTERM');
      await worker.ended;
    } finally {
      await queue.close();
      await redis.close();
    }
  });
});
