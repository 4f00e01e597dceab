// A run in which too many images fail: its exit status, and where --max-failed stops it.
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { jsonLines, run, start } from '../support/layertap.ts';
import { openOwnRedis } from '../support/redis.ts';
import { receiptsIn } from '../support/redis-run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const demo = useDemoSet();
const REQUEST = ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'wasm', '--batch', '1', '--shard-size', '1'];
const ROWS = 60;

/** A list of images that are there, and then of some that are not. */
async function listOf(there: number, missing: number): Promise<string> {
  const folder = join(await temporaryFolder(), 'images');
  await mkdir(folder);
  const names = Array.from({ length: there + missing }, (_, row) => `${String(row).padStart(3, '0')}.jpg`);
  for (const [row, name] of names.slice(0, there).entries()) await cp(demo.image(row % 10, 0), join(folder, name));
  const list = join(folder, 'list.txt');
  await writeFile(list, names.join('\n'));
  return list;
}

async function outFolder(): Promise<string> {
  return join(await temporaryFolder(), 'out');
}

describe('a run in which every image failed', () => {
  it('ends with 1 and the reasons, and is a finished run all the same', async () => {
    const out = await outFolder();
    const { code, stdout, stderr } = await run(['extract', await listOf(0, 3), ...REQUEST, '--out', out]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('Expected features of 3 images but all of them failed: 3 not-found'),
    ]);
    expect(stdout).toContain('rows      3: 0 ok, 3 failed (3 not-found)');
    expect(JSON.parse(await readFile(join(out, 'summary.json'), 'utf8'))).toMatchObject({ rows: 3, failed: 3 });
    expect((await run(['verify', out])).code).toBe(0);
    expect((await run(['resume', out])).code).toBe(1);
  });

  it('ends with 0 where one has features', async () => {
    expect((await run(['extract', await listOf(1, 2), ...REQUEST, '--out', await outFolder()])).code).toBe(0);
  });
});

describe('--max-failed', () => {
  it.each(['5%', '3'])('of %s stops the run once more have failed; resume goes on', async bound => {
    const out = await outFolder();
    const list = await listOf(1, ROWS - 1);
    const flags = [...REQUEST, '--processes', '1', '--max-failed', bound, '--out', out];
    const { code, stderr } = await run(['extract', list, ...flags]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      new RegExp(`Expected at most ${bound} of ${ROWS} images to fail but \\d+ did so far: \\d+ not-found`),
    );
    expect(stderr).toContain(`npx layertap show ${out} --failed`);
    expect(await receiptsIn(out)).toBeLessThan(ROWS / 2);
    // Without the bound, all of them.
    const resumed = await run(['resume', out, '--json']);
    expect([resumed.code, jsonLines(resumed.stdout).at(-1)]).toEqual([
      0,
      expect.objectContaining({ rows: ROWS, ok: 1, failed: ROWS - 1 }),
    ]);
    // With it, nothing is begun where too many have failed already.
    expect((await run(['resume', out, '--max-failed', bound])).stderr).toContain(`Expected at most ${bound}`);
  });

  it('lets a run with fewer failures end', async () => {
    const flags = [...REQUEST, '--max-failed', '50%', '--out', await outFolder()];
    expect(await run(['extract', await listOf(2, 2), ...flags])).toMatchObject({ code: 0 });
  });

  it('takes the waiting shards from the queue where the producer waits', async () => {
    const redis = await openOwnRedis();
    onTestFinished(() => redis.close());
    const out = await outFolder();
    const worker = start(['work', '--redis', redis.url, '--processes', '1']);
    const flags = [...REQUEST, '--redis', redis.url, '--wait', '--max-failed', '3', '--out', out];
    const { code, stderr } = await run(['enqueue', await listOf(1, 400), ...flags]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/at most 3 of 401 images to fail but \d+ did/)]);
    worker.kill('SIGTERM');
    expect((await worker.ended).code).toBe(0);
    expect(await receiptsIn(out)).toBeLessThan(401);
    expect((await run(['status', out, '--redis', redis.url])).stdout).toContain('queue: 0 waiting, 0 active');
  });

  it.each(['5 %', '-1', '101%', 'some'])('of %s is refused', async bound => {
    const { code, stderr } = await run(['extract', '/nowhere', ...REQUEST, '--max-failed', bound, '--out', '/nowhere']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('a share such as 5% or a number of images')]);
  });

  it('is refused where nobody waits for the failures', async () => {
    const flags = ['--max-failed', '3', '--out', '/nowhere'];
    const { code, stderr } = await run(['enqueue', '/nowhere', ...REQUEST, ...flags]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('Expected `--wait` with `--max-failed`')]);
  });
});
