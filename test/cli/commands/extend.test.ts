// extend: new images of the source come behind the old ones, whose rows stay bit for bit.
import { copyFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEMO_MODEL, useDemoSet } from '../../support/demo-set.ts';
import { jsonLines, type RunResult, run } from '../../support/layertap.ts';
import { digestsOf, readJson, readRows, rowDigests } from '../../support/read-rows.ts';

const demo = useDemoSet();
const REQUEST = ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'wasm', '--batch', '4', '--shard-size', '4'];
let photos: string;

beforeAll(async () => {
  photos = join(demo.root, 'photos');
  await mkdir(photos);
  await addPhotos('c', 10);
});

async function addPhotos(prefix: string, count: number): Promise<void> {
  for (let row = 0; row < count; row++)
    await copyFile(demo.image(row, row % 4), join(photos, `${prefix}${String(row).padStart(2, '0')}.jpg`));
}

function extract(out: string, ...flags: readonly string[]): Promise<RunResult> {
  return run(['extract', photos, ...REQUEST, ...flags, '--out', out]);
}

describe('extend', () => {
  it('adds only new images, wherever they stand in the source, and keeps the rows of the others', async () => {
    const out = join(demo.root, 'out');
    expect((await extract(out)).code).toBe(0);
    const before = await rowDigests(out);
    const receipt = await readFile(join(out, 'receipts/000/000000.json'), 'utf8');
    const none = await run(['extend', out]);
    expect([none.code, none.stderr]).toEqual([0, expect.stringContaining('0 new images, 10 in all')]);

    await addPhotos('a', 3);
    await addPhotos('d', 2);
    const { code, stdout, stderr } = await run(['extend', out]);
    expect([code, stderr]).toEqual([0, expect.stringContaining('5 new images, 15 in all')]);
    expect(stdout).toContain('rows      15: 15 ok');
    const rows = await readRows(out);
    expect([...rows.keys()].slice(10)).toEqual(['a00.jpg', 'a01.jpg', 'a02.jpg', 'd00.jpg', 'd01.jpg']);
    expect(Object.fromEntries(Object.entries(digestsOf(rows)).slice(0, 10))).toEqual(before);
    expect(rows.get('a00.jpg')?.features).toEqual(rows.get('c00.jpg')?.features);
    // Only the last shard, which was not full, is done again.
    expect(await readFile(join(out, 'receipts/000/000000.json'), 'utf8')).toBe(receipt);
    expect(stderr).not.toContain('damaged');
    const manifests = await readdir(join(out, 'manifest'), { recursive: true });
    expect(manifests.filter(path => path.endsWith('.arrow'))).toHaveLength(1);
    expect((await run(['verify', out, '--deep'])).stdout).toMatch(/^clean: 15 images/);
    expect(await readJson(out, 'summary.json')).toMatchObject({ rows: 15 });
    // The same command as at first still continues it.
    expect((await extract(out)).stdout).toContain('rows      15: 15 ok');
  });

  it('--plan-only leaves the work to resume, also of a compacted run', async () => {
    const out = join(demo.root, 'planned');
    expect((await extract(out)).code).toBe(0);
    expect((await run(['compact', out])).code).toBe(0);
    const before = await rowDigests(out);
    await addPhotos('b', 2);
    const planned = await run(['extend', out, '--plan-only', '--json']);
    const rows = Object.keys(before).length + 2;
    expect(jsonLines(planned.stdout)).toEqual([{ out, added: 2, rows }]);
    expect((await readdir(out)).includes('summary.json')).toBe(false);
    expect((await run(['resume', out])).code).toBe(0);
    expect(await rowDigests(out)).toMatchObject(before);
    expect((await run(['verify', out, '--deep'])).stdout).toContain(`clean: ${rows} images`);
  });

  it('refuses a run that is not finished, or that took only some images', async () => {
    const out = join(demo.root, 'limited');
    expect((await extract(out, '--limit', '4')).code).toBe(0);
    const limited = await run(['extend', out]);
    expect([limited.code, limited.stderr]).toEqual([1, expect.stringContaining('it took the first 4 images')]);
    const unfinished = join(demo.root, 'unfinished');
    expect((await extract(unfinished)).code).toBe(0);
    await rm(join(unfinished, 'receipts/000/000001.json'));
    const refused = await run(['extend', unfinished]);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('shards are not done')]);
    expect(await readdir(join(unfinished, 'manifest'))).toHaveLength(1);
  });
});
