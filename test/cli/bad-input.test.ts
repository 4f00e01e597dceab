// What a user gets for input that cannot be worked on: the table of the README, a test per row, through the command line.

import { chmod, copyFile, cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { type RunResult, run } from '../support/layertap.ts';
import { otherUser } from '../support/other-user.ts';
import { readJson, readRows } from '../support/read-rows.ts';
import { openOwnRedis } from '../support/redis.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const asOther = otherUser();

const demo = useDemoSet();
/** Other requests are quick with wasm: nothing here depends on the engine. */
const BASE = ['--layer', 'features', '--engine', 'wasm'];

// Users other than root look into the folder of the test.
beforeAll(() => chmod(demo.root, 0o755));

function extract(out: string, flags: readonly string[] = [], source = demo.images): Promise<RunResult> {
  return run(['extract', source, '--model', DEMO_MODEL, '--out', join(demo.root, out), ...BASE, ...flags]);
}

/** Refused before any job: status 1, two lines at most, nothing in the output directory. */
async function expectRefused(result: Promise<RunResult>, out: string, ...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await result;
  for (const word of words) expect(stderr).toContain(word);
  expect(stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(2);
  expect(stderr).not.toMatch(/^ +at /m);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(await readdir(join(demo.root, out)).catch(() => 'nothing there')).toBe('nothing there');
  return stderr;
}

async function demoModelIn(folder: string): Promise<string> {
  await cp(dirname(DEMO_MODEL), join(demo.root, folder), { recursive: true });
  return join(demo.root, folder, 'model.json');
}

describe('an image that is broken, empty, huge, missing or unreadable', () => {
  it('is a failed row with a code and a reason, and harms no other', async () => {
    const folder = join(demo.root, 'odd');
    await mkdir(folder);
    const broken = {
      'cut.jpg': (await readFile(demo.image(0, 0))).subarray(0, 2000),
      'empty.png': Buffer.alloc(0),
      'text.jpg': Buffer.from('no image at all'),
    };
    for (const [name, bytes] of Object.entries(broken)) await writeFile(join(folder, name), bytes);
    await copyFile(join(demo.images, 'square', 'broken-huge.png'), join(folder, 'huge.png'));
    await writeFile(join(folder, 'closed.jpg'), await readFile(demo.image(0, 0)));
    await chmod(join(folder, 'closed.jpg'), 0o000);
    for (const shape of [1, 2, 3]) await copyFile(demo.image(shape, 0), join(folder, `whole-${shape}.jpg`));
    const names = [
      'whole-1.jpg',
      ...['cut.jpg', 'empty.png', 'text.jpg', 'huge.png', 'missing.jpg'],
      // Root reads what is closed to all others.
      ...(asOther === undefined ? [] : ['closed.jpg']),
      ...['whole-2.jpg', '.', 'whole-3.jpg'],
    ];
    await writeFile(join(folder, 'odd.txt'), names.join('\n'));
    await writeFile(join(folder, 'whole.txt'), 'whole-1.jpg\nwhole-2.jpg\nwhole-3.jpg\n');
    await mkdir(join(demo.root, 'open'));
    await chmod(join(demo.root, 'open'), 0o777);

    const request = ['--model', DEMO_MODEL, ...BASE];
    const [odd, whole] = await Promise.all(
      ['odd', 'whole'].map(name =>
        run(['extract', join(folder, `${name}.txt`), ...request, '--out', join(demo.root, 'open', name)], asOther),
      ),
    );
    expect([odd?.stderr, odd?.code, whole?.code]).toEqual([expect.anything(), 0, 0]);
    expect(odd?.stdout).toContain(`${names.length}: 3 ok, ${names.length - 3} failed`);
    const rows = await readRows(join(demo.root, 'open', 'odd'));
    const codes = [...rows].map(([id, { values }]) => [id, values.error_code]);
    expect(codes).toEqual([
      ['whole-1.jpg', null],
      ['cut.jpg', 'corrupt-image'],
      ['empty.png', 'empty-file'],
      ['text.jpg', 'unsupported-format'],
      ['huge.png', 'image-too-large'],
      ['missing.jpg', 'not-found'],
      ...(asOther === undefined ? [] : [['closed.jpg', 'unreadable']]),
      ['whole-2.jpg', null],
      ['.', 'unreadable'],
      ['whole-3.jpg', null],
    ]);
    for (const { values } of rows.values()) expect(values.error_message === null).toBe(values.status === 'ok');
    const alone = await readRows(join(demo.root, 'open', 'whole'));
    expect(alone.size).toBe(3);
    for (const [id, { features }] of alone) expect(rows.get(id)?.features).toEqual(features);
  });
});

describe('an unknown layer', () => {
  it.each([
    ['featurs', "nearest names are 'features'"],
    ['class:Conv3D', "model's classes are BatchNormalization, Conv2D"],
    ['99', 'Indices run from 0 to 17'],
    ['block_*', 'nearest names are'],
  ])('%s is refused before any job, with what there is', async (layer, hint) => {
    const args = ['--model', DEMO_MODEL, '--layer', layer, '--out', join(demo.root, 'layer')];
    await expectRefused(run(['extract', demo.images, ...args]), 'layer', `received '${layer}'`, hint);
  });
});

describe('a model', () => {
  const with_ = (model: string): Promise<RunResult> =>
    run(['extract', demo.images, '--model', model, ...BASE, '--out', join(demo.root, 'model')]);

  it('that is missing is refused, naming the file and what would do', async () => {
    const path = join(demo.root, 'nowhere', 'model.json');
    await expectRefused(with_(path), 'model', path, 'no such file', 'model.json');
  });

  it('that is truncated is refused, naming the file', async () => {
    const path = await demoModelIn('truncated');
    await truncate(path, 3000);
    await expectRefused(with_(path), 'model', path, 'Expected JSON', 'truncated');
  });

  it('whose weights are missing is refused, naming them and their size', async () => {
    const path = await demoModelIn('weightless');
    await rm(join(dirname(path), 'weights.bin'));
    const weights = join(dirname(path), 'weights.bin');
    await expectRefused(with_(path), 'model', `Expected 322280 bytes of weights`, `${weights} is missing`);
  });

  it('whose weights are cut short is refused, naming both sizes', async () => {
    const path = await demoModelIn('short');
    await truncate(join(dirname(path), 'weights.bin'), 1000);
    await expectRefused(with_(path), 'model', 'Expected 322280 bytes', 'received 1000 bytes');
  });

  it('without any recipe is refused, and told what to say', async () => {
    const path = await demoModelIn('no-recipe');
    await rm(join(dirname(path), 'model.recipe.json'));
    await expectRefused(with_(path), 'model', 'Expected a recipe', '--scale 1/255');
  });
});

describe('a source', () => {
  it('that is not there is refused, with what is accepted', async () => {
    const path = join(demo.root, 'no-photos');
    await expectRefused(extract('source', [], path), 'source', path, 'a folder of images');
  });

  it('without any image is refused', async () => {
    const path = join(demo.root, 'no-images');
    await mkdir(path);
    await expectRefused(extract('source', [], path), 'source', path);
  });
});

describe('two samples of one id', () => {
  it('are refused, naming both, and numbered where that is asked for', async () => {
    const list = join(demo.root, 'twice.csv');
    const [a, b, c] = [demo.image(0, 0), demo.image(1, 0), demo.image(2, 0)];
    await writeFile(list, `sample_id,path\nsame,${a}\nother,${b}\nsame,${c}\nsame,${b}\n`);
    const refused = await extract('duplicates', [], list);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`'same' names both '${a}' and '${c}'`);
    expect(refused.stderr).toContain('--duplicates number');

    // The same directory again: what the refused command left does not stand in the way.
    const numbered = await extract('duplicates', ['--duplicates', 'number'], list);
    expect(numbered.stderr).not.toContain('Expected');
    expect(numbered.code).toBe(0);
    const rows = await readRows(join(demo.root, 'duplicates'));
    expect([...rows].map(([id, { values }]) => [id, values.uri])).toEqual([
      ['same', a],
      ['other', b],
      ['same#2', c],
      ['same#3', b],
    ]);
  });
});

describe('an output directory', () => {
  const limit = ['--limit', '3'];
  let out: string;

  beforeAll(async () => {
    out = join(demo.root, 'taken');
    expect((await extract('taken', limit)).code).toBe(0);
  });

  async function expectMismatch(result: Promise<RunResult>, ...words: readonly string[]): Promise<void> {
    const before = await readFile(join(out, 'run.json'), 'utf8');
    const { code, stderr } = await result;
    for (const word of words) expect(stderr).toContain(word);
    expect(code).toBe(1);
    expect(await readFile(join(out, 'run.json'), 'utf8')).toBe(before);
  }

  it.each([
    ['another layer', ['--layer', 'conv4'], 'layers was ["features"] and is now ["features","conv4"]'],
    ['another pooling', ['--pool', 'mean'], 'pool was "none" and is now "mean"'],
    ['another recipe', ['--channels', 'bgr'], 'recipe was {'],
    ['another format', ['--format', 'both'], 'format was "parquet" and is now "both"'],
    ['another limit', ['--limit', '4'], 'limit was 3 and is now 4'],
  ])('that holds a run of %s is refused, and what differs said', async (_name, flags, difference) => {
    await expectMismatch(extract('taken', [...limit, ...flags]), difference, 'Choose another --out');
  });

  it('that holds a run of another source is refused', async () => {
    const source = join(demo.images, 'star');
    await expectMismatch(extract('taken', limit, source), `source was "${demo.images}" and is now "${source}"`);
  });

  it('that holds a run of another model, of the same name, is refused, by resume too', async () => {
    const path = await demoModelIn('changing');
    out = join(demo.root, 'taken-model');
    const args = ['extract', demo.images, '--model', path, ...BASE, ...limit, '--out', out];
    expect((await run(args)).code).toBe(0);
    const weights = join(dirname(path), 'weights.bin');
    const bytes = await readFile(weights);
    bytes.writeFloatLE(0.5, 1000);
    await writeFile(weights, bytes);
    await expectMismatch(run(args), 'modelSha256 was "');
    await expectMismatch(run(['resume', out]), `Expected '${path}' to have sha256`, 'Put the old model back');
  });

  it('whose run record was edited is refused by resume', async () => {
    const edited = join(demo.root, 'edited');
    await cp(join(demo.root, 'taken'), edited, { recursive: true });
    const record = await readJson<{ request: object }>(edited, 'run.json');
    await writeFile(
      join(edited, 'run.json'),
      JSON.stringify({ ...record, request: { ...record.request, pool: 'max' } }),
    );
    const { code, stderr } = await run(['resume', edited]);
    expect(stderr).toContain('it has been changed');
    expect(code).toBe(1);
  });

  it('that holds anything else is refused, naming it', async () => {
    await mkdir(join(demo.root, 'foreign', 'deep'), { recursive: true });
    await writeFile(join(demo.root, 'foreign', 'deep', 'thesis.txt'), 'years of work');
    const { code, stderr } = await extract('foreign');
    expect(stderr).toContain("holds 'deep/thesis.txt'");
    expect(code).toBe(1);
    expect(await readdir(join(demo.root, 'foreign'), { recursive: true })).toEqual(['deep', 'deep/thesis.txt']);
  });

  it('without a run is refused by status, resume, verify and show', async () => {
    const results = await Promise.all(
      ['status', 'resume', 'verify', 'show'].map(command => run([command, join(demo.root, 'foreign')])),
    );
    for (const { code, stderr } of results) {
      expect(stderr).toContain('has no run.json');
      expect(code).toBe(1);
    }
  });

  const title = 'that may not be written is refused, naming the path';
  const reason = asOther === undefined ? ' (skipped: no other user can reach this checkout and Node)' : '';
  it.skipIf(asOther === undefined)(`${title}${reason}`, async () => {
    const closed = join(demo.root, 'closed');
    await mkdir(closed);
    await chmod(closed, 0o555);
    const out = join(closed, 'out');
    const { code, stderr } = await run(['extract', demo.images, '--model', DEMO_MODEL, ...BASE, '--out', out], asOther);
    expect(stderr).toContain(`Cannot write '${out}`);
    expect(stderr).toContain('permission is denied');
    expect(code).toBe(1);
    const file = await run(['extract', demo.images, '--model', DEMO_MODEL, ...BASE, '--out', `${DEMO_MODEL}/out`]);
    expect(file.stderr).toContain('part of that path is a file');
    expect(file.code).toBe(1);
  });
});

describe('a full disk', () => {
  it('fails the shard after its retries, counts nothing half-written, and is gone on with', async context => {
    const disk = mountSmallDisk(4);
    if ('reason' in disk) return context.skip(disk.reason);
    const out = join(disk.path, 'out');
    await writeFile(join(disk.path, 'ballast'), Buffer.alloc(3_000_000));
    const shape = ['--engine', 'wasm', '--shard-size', '8', '--max-output', 'none'];
    const request = ['--model', DEMO_MODEL, '--layer', 'conv3', ...shape];
    const full = await run(['extract', demo.images, ...request, '--out', out]);
    expect(full.code).toBe(1);
    expect(full.stderr).toMatch(new RegExp(`shard \\d failed: Cannot write '${out}/.*': the disk is full`));
    expect(full.stderr).toMatch(/\d of 6 shards could not be done/);
    expect(full.stderr).toContain(`layertap resume ${out}`);
    // Rows that were tried three times count once.
    expect(full.stderr).not.toMatch(/\b(4[6-9]|[5-9]\d)\/45 images/);

    const before = await run(['verify', out]);
    expect(before.stdout).toMatch(/has no receipt/);
    // Nor does a part find room where its receipt does not.
    expect(before.stdout).not.toMatch(/damaged|cannot be read|named by no receipt/);
    expect(before.code).toBe(1);

    await rm(join(disk.path, 'ballast'));
    const resumed = await run(['resume', out]);
    expect(resumed.stderr).not.toContain('disk is full');
    expect(resumed.code).toBe(0);
    const after = await run(['verify', out]);
    expect(after.stdout).toContain('clean: 45 images');
  });
});

describe('a Redis', () => {
  it('that does not answer is one line with the address, its password hidden, and what to do', async () => {
    const args = ['enqueue', demo.images, '--model', DEMO_MODEL, ...BASE, '--out', join(demo.root, 'queued')];
    const stderr = await expectRefused(
      run([...args, '--redis', 'redis://me:secret@127.0.0.1:1']),
      'queued',
      'redis://me:***@127.0.0.1:1',
      'no answer',
      'docker run',
    );
    expect(stderr).not.toContain('secret');
  });

  it('that wants another password says so, without showing the one given', async () => {
    const redis = await openOwnRedis({ password: 'right' });
    try {
      const args = ['enqueue', demo.images, '--model', DEMO_MODEL, ...BASE, '--out', join(demo.root, 'queued')];
      const wrong = `redis://:wrong@127.0.0.1:${redis.port}`;
      const refused = expectRefused(run([...args, '--redis', wrong]), 'queued', 'a refusal of the password');
      expect(await refused).not.toMatch(/wrong|right/);
      const none = `redis://127.0.0.1:${redis.port}`;
      await expectRefused(run([...args, '--redis', none]), 'queued', 'a request for a password');
    } finally {
      await redis.close();
    }
  });
});

describe.concurrent('a bad flag', () => {
  const args = (...flags: string[]): readonly string[] => ['extract', demo.images, ...flags, '--out', 'unused'];
  const request = ['--model', DEMO_MODEL, '--layer', 'features'];

  it.each<[string, () => readonly string[], RegExp]>([
    ['an unknown one', () => args(...request, '--bacth', '4'), /Unknown option --bacth; did you mean --batch/],
    ['no model', () => args('--layer', 'features'), /Expected --model \[NAME=\]MODEL/],
    ['no layer', () => args('--model', DEMO_MODEL), /Expected --layer NAME/],
    ['no output', () => ['extract', demo.images, ...request], /Expected --out DIR/],
    ['no source', () => ['extract', ...request, '--out', 'unused'], /Expected one SOURCE/],
    ['two sources', () => ['extract', 'a', 'b', ...request, '--out', 'unused'], /Expected one SOURCE .*'a', 'b'/],
    ['a format', () => args(...request, '--format', 'csv'), /one of parquet, arrow, both for --format .*'csv'/],
    [
      'a pooling',
      () => args(...request, '--pool', 'avg'),
      /one of none, mean, max, mean\+max, gem, .* for --pool .*'avg'/,
    ],
    ['an engine', () => args(...request, '--engine', 'gpu'), /one of auto, tensorflow, onnx, wasm.* for --engine/],
    ['a batch of 0', () => args(...request, '--batch', '0'), />=1 for --batch .*'0'/],
    ['half an image', () => args(...request, '--limit', '1.5'), /int.* for --limit .*'1.5'/],
    ['no number', () => args(...request, '--shard-size', 'many'), /number for --shard-size .*'many'/],
    ['a size', () => args(...request, '--size', '224'), /WIDTHxHEIGHT such as 224x224 for --size .*'224'/],
    ['a mean', () => args(...request, '--mean', '1,b'), /a number, or one per channel .* for --mean/],
    ['a value left out', () => args(...request, '--limit'), /--limit/],
    ['a command', () => ['extrat', demo.images], /Unknown command 'extrat'; did you mean extract/],
  ])('(%s) ends with status 2, the flag and its valid values', async (_name, argv, message) => {
    const { code, stdout, stderr } = await run(argv());
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/See `npx layertap( \w+)? --help`/);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  it('in the environment is named as its variable', async () => {
    const { code, stderr } = await run(['extract', demo.images, ...request, '--out', 'unused'], {
      env: { LAYERTAP_BATCH: 'big' },
    });
    expect(stderr).toContain("Expected number for LAYERTAP_BATCH but received 'big'");
    expect(code).toBe(2);
  });
});
