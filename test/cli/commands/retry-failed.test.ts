// retry-failed: only the failed images are done again, by real processes, and a kill changes nothing.
import { copyFile, mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEMO_MODEL, useDemoSet } from '../../support/demo-set.ts';
import { jsonLines, run, start } from '../../support/layertap.ts';
import { digestsOf, readJson, readRows, rowDigests } from '../../support/read-rows.ts';
import { waitUntil } from '../../support/wait-until.ts';

const demo = useDemoSet();
const REQUEST = ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'wasm', '--shard-size', '8'];
let photos: string;

/** 20 images of which those that fail do so: two are missing, one is no image. */
beforeAll(async () => {
  photos = join(demo.root, 'photos');
  await mkdir(photos);
  const names = Array.from({ length: 20 }, (_, row) => `${String(row).padStart(2, '0')}.jpg`);
  for (const [row, name] of names.entries()) await copyFile(demo.image(row, row % 4), join(photos, name));
  await writeFile(join(photos, 'list.txt'), names.join('\n'));
  await rename(join(photos, '03.jpg'), join(photos, 'away-03'));
  await rename(join(photos, '12.jpg'), join(photos, 'away-12'));
  await writeFile(join(photos, '14.jpg'), 'no image at all');
});

async function extract(name: string): Promise<string> {
  const out = join(demo.root, name);
  const { code, stderr } = await run(['extract', join(photos, 'list.txt'), ...REQUEST, '--out', out]);
  expect([code, stderr]).toEqual([0, expect.anything()]);
  return out;
}

describe('retry-failed', () => {
  it('does the rows of a code again, and all others keep their values', async () => {
    const out = await extract('codes');
    const before = await rowDigests(out);
    await copyFile(join(photos, 'away-03'), join(photos, '03.jpg'));
    const first = await run(['retry-failed', out, '--code', 'not-found', '--json']);
    expect(first.stderr).not.toMatch(/^ +at /m);
    expect(jsonLines(first.stdout)).toEqual([
      { out, retried: 2, ok: 1, shards: 2, failed: 2, failures: { 'not-found': 1, 'unsupported-format': 1 } },
    ]);
    expect(first.code).toBe(1);
    const rows = await readRows(out);
    expect(rows.get('03.jpg')?.values.status).toBe('ok');
    const after = digestsOf(rows);
    expect(Object.keys(after).filter(id => after[id] !== before[id])).toEqual(['03.jpg']);
    expect(await readJson(out, 'summary.json')).toMatchObject({ rows: 20, ok: 18, failed: 2 });
    expect((await run(['verify', out, '--deep'])).stdout).toContain('clean: 20 images');

    await copyFile(join(photos, 'away-12'), join(photos, '12.jpg'));
    await copyFile(demo.image(14, 2), join(photos, '14.jpg'));
    const second = await run(['retry-failed', out]);
    expect(second.stdout).toBe('2 done again: 2 ok now, 0 failed again; 0 of 20 failed in all\n');
    expect(second.code).toBe(0);
    const third = await run(['retry-failed', out]);
    expect([third.code, third.stdout]).toEqual([0, 'no failed image to do again; 0 of 20 failed in all\n']);
    expect((await readdir(out)).filter(name => name.startsWith('.'))).toEqual([]);
    expect((await run(['verify', out, '--deep'])).stdout).toContain('clean: 20 images, each exactly one row (20 ok');
    for (const name of ['03.jpg', '12.jpg']) await writeFile(join(photos, name), '');
  });

  it('killed while it works leaves the run as it was, and a folder to gc', async () => {
    const out = await extract('killed');
    const before = await rowDigests(out);
    const running = start(['retry-failed', out]);
    await waitUntil('its folder is there', async () =>
      (await readdir(out)).find(name => name.startsWith('.layertap-')),
    );
    running.kill('SIGKILL');
    await running.ended;
    expect(await rowDigests(out)).toEqual(before);
    expect((await run(['verify', out])).stdout).toContain('clean: 20 images');
    expect((await run(['gc', out])).code).toBe(0);
    expect((await readdir(out)).filter(name => name.startsWith('.'))).toEqual([]);
  });

  it('refuses a code that there is not, with status 2', async () => {
    const { code, stderr } = await run(['retry-failed', demo.root, '--code', 'lost']);
    expect(stderr).toContain('one of not-found, not-allowed, unreadable');
    expect(code).toBe(2);
  });
});
