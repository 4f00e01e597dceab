// add-layer: columns of more layers, by real processes; old values stay, and what is killed goes on.
import { copyFile, cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { DEMO_MODEL, useDemoSet } from '../../support/demo-set.ts';
import { jsonLines, type RunResult, run, start } from '../../support/layertap.ts';
import { readJson, readRows, rowDigests } from '../../support/read-rows.ts';
import { openOwnRedis } from '../../support/redis.ts';
import { waitUntil } from '../../support/wait-until.ts';

const demo = useDemoSet();
const ENGINE = ['--engine', 'wasm', '--batch', '4', '--shard-size', '8', '--pool', 'mean'];
const MODEL = ['--model', DEMO_MODEL];
let both: string;

function extract(source: string, out: string, ...flags: readonly string[]): Promise<RunResult> {
  return run(['extract', source, ...ENGINE, ...flags, '--out', out]);
}

async function extracted(source: string, name: string, ...flags: readonly string[]): Promise<string> {
  const out = join(demo.root, name);
  const { code, stderr } = await extract(source, out, ...flags);
  expect([code, stderr]).toEqual([0, expect.anything()]);
  return out;
}

async function expectClean(out: string, rows: number): Promise<void> {
  expect((await run(['verify', out, '--deep'])).stdout).toMatch(new RegExp(`^clean: ${rows} images`));
  expect((await readdir(out)).filter(name => name.startsWith('.'))).toEqual([]);
}

beforeAll(async () => {
  both = await extracted(demo.images, 'both', ...MODEL, '--layer', 'features', '--layer', 'conv4');
});

describe('add-layer', { timeout: 600_000 }, () => {
  it('gives the run that both layers would have given at once', async () => {
    const out = await extracted(demo.images, 'later', ...MODEL, '--layer', 'features');
    const before = await readRows(out);
    const { code, stderr, stdout } = await run(['add-layer', out, '--layer', 'conv4']);
    expect([code, stderr]).toEqual([0, expect.stringContaining('new columns: conv4')]);
    expect(stdout).toContain('rows      45: 40 ok');
    const after = await readRows(out);
    for (const [id, { values, features }] of before)
      expect([id, after.get(id)?.values, after.get(id)?.features.features]).toEqual([id, values, features.features]);
    expect(await rowDigests(out)).toEqual(await rowDigests(both));
    await expectClean(out, demo.rows);
    expect(await readFile(join(out, 'README.md'), 'utf8')).toContain('conv4');
    const fingerprint = async (of: string): Promise<unknown> =>
      (await readJson<{ fingerprint: string }>(of, 'run.json')).fingerprint;
    expect(await fingerprint(out)).toBe(await fingerprint(both));
    expect((await run(['diff', out, both])).code).toBe(0);
    expect((await run(['explain', out, 'star/star-001.jpg'])).stdout).toMatch(/^added +conv4: /m);

    const again = await run(['add-layer', out, '--layer', 'conv4']);
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining('has these layers already')]);
    // The command with both layers continues it, and has nothing to do.
    const same = await extract(demo.images, out, ...MODEL, '--layer', 'features', '--layer', 'conv4');
    expect([same.code, same.stdout]).toEqual([0, expect.stringContaining('rows      45: 40 ok')]);
  });

  it('stands among several models, and before the predictions', async () => {
    const other = join(demo.root, 'other');
    await cp(dirname(DEMO_MODEL), other, { recursive: true });
    const models = [...MODEL, '--model', join(other, 'model.json'), '--with-predictions'];
    const flags = ['--layer', 'features', '--layer', 'conv3'];
    const out = await extracted(demo.images, 'models', ...models, '--layer', 'features');
    const { code, stderr } = await run(['add-layer', out, '--layer', 'other/conv3', '--json']);
    expect([code, stderr]).toEqual([0, expect.stringContaining('new columns: other/conv3')]);
    await expectClean(out, demo.rows);
    const whole = await extracted(
      demo.images,
      'models-at-once',
      ...models,
      ...flags.slice(0, 2),
      '--layer',
      'other/conv3',
    );
    expect(await rowDigests(out)).toEqual(await rowDigests(whole));
  });

  it('killed while it computes has changed nothing and goes on from there', async () => {
    const list = await demo.longList(160);
    const out = await extracted(list, 'killed', ...MODEL, '--layer', 'features');
    const before = await rowDigests(out);
    const running = start(['add-layer', out, '--layer', 'conv3', '--processes', '1']);
    const receipts = async (): Promise<readonly string[]> => {
      const folder = (await readdir(out)).find(name => name.startsWith('.layertap-layers-')) ?? 'none';
      const paths = await readdir(join(out, folder, 'receipts'), { recursive: true }).catch(() => []);
      return paths.filter(path => /\d\.json$/.test(path)).map(path => join(folder, 'receipts', path));
    };
    await waitUntil('a shard is done', async () => (await receipts())[0]);
    running.kill('SIGKILL');
    await running.ended;
    const [first] = await receipts();
    const done = await readJson<{ shard: number; finishedAt: string }>(out, first ?? '');
    expect(await rowDigests(out)).toEqual(before);
    expect((await run(['verify', out])).stdout).toMatch(/^clean/);
    expect((await run(['add-layer', out, '--layer', 'conv3'])).code).toBe(0);
    await expectClean(out, 160);
    const receipt = `receipts/000/${String(done.shard).padStart(6, '0')}.json`;
    expect(await readJson(out, receipt)).toMatchObject({
      added: [{ columns: ['conv3'], finishedAt: done.finishedAt }],
    });
  });

  it('wants every image again that has features; retry-failed takes those that had none', async () => {
    const photos = join(demo.root, 'photos');
    await mkdir(photos);
    for (let row = 0; row < 10; row++) await copyFile(demo.image(row, 0), join(photos, `${row}.jpg`));
    await rename(join(photos, '3.jpg'), join(photos, 'away'));
    await writeFile(join(photos, '3.jpg'), 'no image');
    const out = await extracted(join(photos, '*.jpg'), 'photos-out', ...MODEL, '--layer', 'features');
    await rename(join(photos, 'away'), join(photos, '3.jpg'));
    await rename(join(photos, '5.jpg'), join(photos, 'away'));
    const refused = await run(['add-layer', out, '--layer', 'conv4']);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining(`'5.jpg' failed this time; nothing was changed`),
    ]);
    await copyFile(demo.image(8, 0), join(photos, '5.jpg'));
    const folder = /npx layertap retry-failed (\S+),/.exec(refused.stderr)?.[1] ?? '';
    expect((await run(['retry-failed', folder])).code).toBe(0);
    const another = await run(['add-layer', out, '--layer', 'conv4']);
    expect([another.code, another.stderr]).toEqual([1, expect.stringContaining(`'5.jpg' changed since`)]);
    await rename(join(photos, 'away'), join(photos, '5.jpg'));
    await rm(folder, { recursive: true });
    expect((await run(['add-layer', out, '--layer', 'conv4'])).code).toBe(0);
    expect((await readRows(out)).get('3.jpg')?.features).toEqual({ features: null, conv4: null });
    const retried = await run(['retry-failed', out, '--json']);
    expect(jsonLines(retried.stdout)).toMatchObject([{ retried: 1, ok: 1, failed: 0 }]);
    await expectClean(out, 10);
    const fresh = await extracted(
      join(photos, '*.jpg'),
      'photos-fresh',
      ...MODEL,
      '--layer',
      'features',
      '--layer',
      'conv4',
    );
    expect(await rowDigests(out)).toEqual(await rowDigests(fresh));
  });

  it('is seen by workers that have done the run and still live', async () => {
    const redis = await openOwnRedis();
    onTestFinished(() => redis.close());
    const out = join(demo.root, 'redis');
    const worker = start(['work', '--redis', redis.url, '--processes', '1']);
    const request = [...ENGINE, ...MODEL, '--layer', 'features', '--out', out, '--redis', redis.url];
    expect((await run(['enqueue', demo.images, ...request, '--wait'])).code).toBe(0);
    expect((await run(['add-layer', out, '--layer', 'conv4'])).code).toBe(0);
    await rm(join(out, 'receipts/000/000001.json'));
    expect((await run(['resume', out, '--redis', redis.url, '--wait'])).code).toBe(0);
    await expectClean(out, demo.rows);
    worker.kill('SIGTERM');
    expect((await worker.ended).code).toBe(0);
  });

  it('refuses a layer that there is not, an unfinished run, and no layer', async () => {
    const unknown = await run(['add-layer', both, '--layer', 'conv99']);
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('conv99')]);
    const none = await run(['add-layer', both]);
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('--layer')]);
    await rm(join(both, 'receipts/000/000001.json'));
    const unfinished = await run(['add-layer', both, '--layer', 'conv3']);
    expect([unfinished.code, unfinished.stderr]).toEqual([1, expect.stringContaining('shards are not done')]);
  });
});
