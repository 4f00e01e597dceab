// compact as a process: fewer files, the same rows for every command that reads them.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEMO_MODEL, useDemoSet } from '../../support/demo-set.ts';
import { killAtStep } from '../../support/kill-at-step.ts';
import { jsonLines, run } from '../../support/layertap.ts';
import { readJson, rowDigests } from '../../support/read-rows.ts';

const demo = useDemoSet();
const REQUEST = ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'wasm', '--shard-size', '8'];
let out: string;

beforeAll(async () => {
  out = join(demo.root, 'out');
  const { code } = await run(['extract', demo.images, ...REQUEST, '--out', out]);
  expect(code).toBe(0);
});

describe('compact', () => {
  it('makes one file of six, which every other command reads as before', async () => {
    const before = await rowDigests(out);
    const shown = await run(['show', out, '--rows', '45']);
    const { code, stdout, stderr } = await run(['compact', out, '--json']);
    expect([code, stderr]).toEqual([0, '']);
    expect(jsonLines(stdout)).toEqual([{ out, filesBefore: 6, files: 1, shards: 6, bytes: expect.any(Number) }]);
    expect(await readdir(join(out, 'parts/000'))).toEqual([
      expect.stringMatching(/^000000-000005-[0-9a-f]{8}\.parquet$/),
    ]);
    expect(await rowDigests(out)).toEqual(before);
    expect(await readJson(out, 'summary.json')).toMatchObject({ rows: 45, shards: 6, files: 1 });
    expect((await run(['verify', out, '--deep'])).stdout).toMatch(/^clean: 45 images/);
    expect((await run(['show', out, '--rows', '45'])).stdout).toBe(shown.stdout);
    const explained = await run(['explain', out, 'star/star-001.jpg', '--json']);
    const [history] = jsonLines(explained.stdout);
    expect(history).toMatchObject({ files: [{ row: history?.row }] });
    const again = await run(['compact', out]);
    expect(again.stdout).toMatch(/^1 files became 1, .*; 0 of 6 shards moved\n$/);
  });

  it('is undone by resume as far as a damaged receipt asks for it', async () => {
    const before = await rowDigests(out);
    await writeFile(join(out, 'receipts/000/000003.json'), '{');
    const { code, stderr } = await run(['resume', out]);
    expect(stderr).toContain('1 damaged shard is done again');
    expect(code).toBe(0);
    expect(await readdir(join(out, 'parts/000'))).toHaveLength(6);
    expect(await rowDigests(out)).toEqual(before);
    expect((await run(['verify', out])).code).toBe(0);
  });

  it('that was killed half way leaves no summary until it is ended, by itself or by retry-failed', async () => {
    const before = await rowDigests(out);
    // The part, the summary and six receipts; then the part and the first receipt have their names.
    expect(await killAtStep({ out, step: 11, work: { kind: 'compact', fileBytes: 1e9 } })).toBeUndefined();
    const again = await run(['extract', demo.images, ...REQUEST, '--out', out]);
    expect(again.stderr).toContain(`npx layertap compact ${out} ends it`);
    expect(again.code).toBe(1);
    expect(await readdir(out)).not.toContain('summary.json');
    expect((await run(['retry-failed', out, '--code', 'crashed-worker'])).code).toBe(0);
    expect(await readdir(out)).toContain('summary.json');
    expect((await run(['verify', out])).code).toBe(0);
    expect(await rowDigests(out)).toEqual(before);
  });

  it('refuses a size that is none, with status 2', async () => {
    const { code, stderr } = await run(['compact', out, '--file-size', 'big']);
    expect(stderr).toContain('an amount such as 1GB or 200MB for --file-size');
    expect(code).toBe(2);
  });
});
