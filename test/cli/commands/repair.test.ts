// verify names each damage, resume does exactly the damaged shards again: on real runs, file by file.
import { cp, readdir, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEMO_MODEL, useDemoSet } from '../../support/demo-set.ts';
import { flipBitOf } from '../../support/flip-bit.ts';
import { jsonLines, run, start } from '../../support/layertap.ts';
import { rowDigests } from '../../support/read-rows.ts';
import { waitUntil } from '../../support/wait-until.ts';

const demo = useDemoSet();
const REQUEST = ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'wasm', '--shard-size', '8'];
let whole: Readonly<Record<string, string>>;
let copies = 0;

beforeAll(async () => {
  const { code, stderr } = await run(['extract', demo.images, ...REQUEST, '--out', join(demo.root, 'whole')]);
  expect([code, stderr]).toEqual([0, expect.anything()]);
  whole = await rowDigests(join(demo.root, 'whole'));
});

/** A copy of the whole run, to be damaged. */
async function copy(): Promise<string> {
  const out = join(demo.root, `copy-${copies++}`);
  await cp(join(demo.root, 'whole'), out, { recursive: true });
  return out;
}

async function partOf(out: string, shard: number): Promise<string> {
  const names = await readdir(join(out, 'parts/000'));
  const name = names.find(candidate => candidate.startsWith(`${String(shard).padStart(6, '0')}-`));
  return join('parts/000', name ?? 'none');
}

function receiptOf(shard: number): string {
  return `receipts/000/${String(shard).padStart(6, '0')}.json`;
}

/** When each receipt was written, by its name: what stays was not done again. */
async function receiptTimes(out: string): Promise<Readonly<Record<string, number>>> {
  const names = await readdir(join(out, 'receipts/000'));
  const times = await Promise.all(names.map(async name => (await stat(join(out, 'receipts/000', name))).mtimeMs));
  return Object.fromEntries(names.map((name, index) => [name, times[index] ?? 0]));
}

async function expectDamages(out: string, damages: readonly unknown[], ...flags: readonly string[]): Promise<void> {
  const { code, stdout } = await run(['verify', out, '--json', ...flags]);
  const [report] = jsonLines(stdout);
  expect(report).toMatchObject({ out, clean: damages.length === 0, damages });
  expect(code).toBe(damages.length === 0 ? 0 : 1);
}

describe('verify', () => {
  it('of a whole run has status 0 and counts its rows, plainly and value by value', async () => {
    const out = join(demo.root, 'whole');
    const deep = await run(['verify', out, '--deep', '--json']);
    expect(jsonLines(deep.stdout)).toEqual([
      { out, clean: true, rows: 45, ok: 40, failed: 5, notFinite: 0, damages: [] },
    ]);
    const plain = await run(['verify', out]);
    expect(plain.stdout).toBe('clean: 45 images, each exactly one row (40 ok, 5 failed), 6 shards\n');
    expect([deep.code, plain.code]).toEqual([0, 0]);
  });

  it('names shard, file and kind of each damage, for programs and for people', async () => {
    const out = await copy();
    const [lost, short, flipped] = await Promise.all([0, 1, 2].map(shard => partOf(out, shard)));
    if (lost === undefined || short === undefined || flipped === undefined) throw new Error('Expected three parts');
    await rm(join(out, lost));
    await truncate(join(out, short), 100);
    await flipBitOf(join(out, flipped), 700);
    await writeFile(join(out, receiptOf(3)), '{');
    await expectDamages(out, [
      { code: 'part-missing', shard: 0, file: lost },
      { code: 'part-damaged', shard: 1, file: short },
      { code: 'part-damaged', shard: 1, file: short },
      { code: 'part-damaged', shard: 2, file: flipped },
      { code: 'receipt-damaged', shard: 3, file: receiptOf(3) },
      { code: 'part-unnamed', file: await partOf(out, 3) },
    ]);
    const { stdout } = await run(['verify', out]);
    expect(stdout).toMatch(/^6 things are wrong:\n/);
    for (const file of [lost, short, flipped, receiptOf(3)]) expect(stdout).toContain(file);
    expect(stdout).toContain(`npx layertap resume ${out} --verify`);
  });
});

describe('resume', () => {
  it('does a shard again whose part is missing, cut short, or whose receipt is damaged or foreign, and no other', async () => {
    const out = await copy();
    await rm(join(out, await partOf(out, 0)));
    await truncate(join(out, await partOf(out, 1)), 100);
    await writeFile(join(out, receiptOf(2)), '{');
    await cp(join(out, receiptOf(5)), join(out, receiptOf(3)));
    const before = await receiptTimes(out);
    const { code, stderr } = await run(['resume', out]);
    expect(stderr).toContain('4 damaged shards are done again');
    expect(code).toBe(0);
    const after = await receiptTimes(out);
    const done = Object.keys(after).filter(name => after[name] !== before[name]);
    expect(done).toEqual(['000000.json', '000001.json', '000002.json', '000003.json']);
    expect(await rowDigests(out)).toEqual(whole);
    await expectDamages(out, [], '--deep');
  });

  it('finds what only the bytes show with --verify', async () => {
    const out = await copy();
    const part = await partOf(out, 4);
    await flipBitOf(join(out, part), 700);
    const blind = await run(['resume', out]);
    expect([blind.code, blind.stderr]).toEqual([0, expect.not.stringContaining('damaged')]);
    await expectDamages(out, [{ code: 'part-damaged', shard: 4, file: part }]);
    const { code, stderr } = await run(['resume', out, '--verify', '--json']);
    expect(jsonLines(stderr)).toContainEqual(
      expect.objectContaining({ level: 'warn', code: 'part-damaged', shard: 4, file: part }),
    );
    expect(code).toBe(0);
    expect(await rowDigests(out)).toEqual(whole);
    await expectDamages(out, []);
  });

  it('refuses to judge parts by a manifest that was changed, and leaves all receipts', async () => {
    const out = await copy();
    const [folder] = await readdir(join(out, 'manifest'));
    await flipBitOf(join(out, 'manifest', folder ?? '', '000000.arrow'), 700);
    const { code, stderr } = await run(['resume', out, '--verify']);
    expect(stderr).toContain('the manifest was changed');
    expect(code).toBe(1);
    expect(await readdir(join(out, 'receipts/000'))).toHaveLength(6);
  });
});

describe('a damaged part', () => {
  it.each([
    ['missing', /is missing/, (path: string) => rm(path)],
    ['cut short', /cannot be read|is damaged/, (path: string) => truncate(path, 100)],
  ])('that is %s is named by commands that read it, with what mends it', async (_, words, damage) => {
    const out = await copy();
    const part = await partOf(out, 1);
    await damage(join(out, part));
    const results = await Promise.all([run(['diff', out, join(demo.root, 'whole')]), run(['compact', out])]);
    for (const { code, stderr } of results) {
      expect(stderr).toContain(`Expected a whole part in '${join(out, part)}' but it`);
      expect(stderr).toMatch(words);
      expect(stderr).toContain(`npx layertap resume ${out} --verify`);
      expect(stderr).not.toMatch(/^ +at /m);
      expect(code).toBe(1);
    }
    expect((await readdir(join(out, 'parts/000'))).filter(name => name.startsWith('.'))).toEqual([]);
  });
});

describe('an output directory that goes away under a run', () => {
  it('ends it with one clear line', async () => {
    const out = join(demo.root, 'going');
    const list = await demo.longList(400);
    const one = ['--processes', '1', '--batch', '4'];
    const running = start(['extract', list, ...REQUEST, ...one, '--out', out]);
    await waitUntil('a shard is done', async () => (await readdir(join(out, 'receipts/000')).catch(() => []))[0]);
    await rename(out, `${out}-gone`);
    const { code, stderr } = await running.ended;
    expect(stderr).toContain(`The output directory '${out}' was removed while the run went on`);
    expect(stderr).toContain('run the same command again');
    expect(stderr).not.toMatch(/^ +at /m);
    expect(code).toBe(1);
  });
});
