// Images that kill the engine process, through the command line and through Redis, by faults that are real: see support/poison.mjs.
import { cp, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { type RunResult, run, start } from '../support/layertap.ts';
import {
  type Fault,
  POISON_ENVIRONMENT,
  writeInferencePoison,
  writePoison,
  writeUnlucky,
} from '../support/poison-images.ts';
import { type ReadRow, readJson, readRows } from '../support/read-rows.ts';
import { openOwnRedis } from '../support/redis.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

// Each death costs the start of a process and the load of a model.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const WHOLE = 6;
const POISON = '2-poison.png';
const env = POISON_ENVIRONMENT;
const demo = useDemoSet();
/** Nothing here depends on the engine: wasm starts quickly. */
const REQUEST = ['--model', DEMO_MODEL, '--layer', 'features', '--batch', '2', '--engine', 'wasm'];

interface Record {
  readonly sampleId: string;
  readonly row: number;
  readonly sha256: string;
  readonly death: string;
  readonly copy: string;
  readonly reproduce: string;
}

/** A folder of whole images that sort around what `add` puts there: `0.jpg` to `5.jpg`. */
async function imagesWith(add: (folder: string) => Promise<void>): Promise<string> {
  return fillWith(join(await temporaryFolder(), 'images'), add);
}

async function fillWith(folder: string, add: (folder: string) => Promise<void>): Promise<string> {
  await mkdir(folder);
  for (let index = 0; index < WHOLE; index++) await cp(demo.image(index, 0), join(folder, `${index}.jpg`));
  await add(folder);
  return folder;
}

async function outFolder(): Promise<string> {
  return join(await temporaryFolder(), 'out');
}

function extract(source: string, out: string, flags: readonly string[] = [], more = {}): Promise<RunResult> {
  const args = ['extract', source, ...REQUEST, '--processes', '1', '--shard-size', '4', '--out', out, ...flags];
  return run(args, { env: { ...env, ...more } });
}

/** What the whole images give without any poison among them. */
let clean: ReadonlyMap<string, ReadRow>;

beforeAll(async () => {
  const out = join(demo.root, 'clean');
  const source = await fillWith(join(demo.root, 'whole'), async () => undefined);
  expect((await run(['extract', source, ...REQUEST, '--out', out])).code).toBe(0);
  clean = await readRows(out);
});

/** All others are there, as they are without the poison; `verify` finds the run whole. */
async function expectOnlyCrashed(out: string, ...poison: readonly string[]): Promise<ReadonlyMap<string, ReadRow>> {
  const rows = await readRows(out);
  const codes = [...rows]
    .filter(([, { values }]) => values.status !== 'ok')
    .map(([id, { values }]) => [id, values.error_code]);
  expect(codes).toEqual(poison.map(id => [id, 'crashed-worker']));
  expect(rows.size).toBe(WHOLE + poison.length);
  for (const [id, { features }] of clean) expect(rows.get(id)?.features).toEqual(features);
  expect((await run(['verify', out])).stdout).toContain('clean:');
  return rows;
}

async function recordsIn(out: string): Promise<readonly (Record & { readonly folder: string })[]> {
  const parent = join(out, 'quarantine', '000');
  const names = (await readdir(parent)).sort();
  return Promise.all(
    names.map(async name => ({
      ...(await readJson<Record>(parent, name, 'crash.json')),
      folder: join(parent, name),
    })),
  );
}

describe('an image that kills the engine process', () => {
  let source: string;
  let out: string;
  let extracted: RunResult;

  beforeAll(async () => {
    source = await fillWith(join(demo.root, 'segfault'), folder => writePoison(join(folder, POISON), 'segfault'));
    out = join(demo.root, 'segfault-out');
    extracted = await extract(source, out);
  });

  it('is a failed row, and all others are done', async () => {
    const { code, stdout, stderr } = extracted;
    expect([code, stderr]).toEqual([0, expect.stringContaining(`'${POISON}' kills the engine process`)]);
    expect(stdout).toContain(`7: ${WHOLE} ok, 1 failed (1 crashed-worker)`);
    expect(stdout).toContain('1 image that killed the engine process');
    const rows = await expectOnlyCrashed(out, POISON);
    expect(rows.get(POISON)?.values.error_message).toBe(
      'alone with it, the engine process ended by SIGSEGV: see quarantine/000/000000-2',
    );
  });

  it('lies in quarantine as a copy with its record', async () => {
    const [record] = await recordsIn(out);
    const { values } = (await readRows(out)).get(POISON) ?? {};
    expect(record).toMatchObject({ sampleId: POISON, row: 2, sha256: values?.sha256, death: 'ended by SIGSEGV' });
    expect(await readFile(join(`${record?.folder}`, `${record?.copy}`))).toEqual(await readFile(join(source, POISON)));
  });

  it('kills again by the command of its record', async () => {
    const [record] = await recordsIn(out);
    const cwd = await temporaryFolder();
    // The words are plain ones here, and the test has its own layertap.
    const [npx, layertap, ...args] = `${record?.reproduce}`.split(' ');
    expect([npx, layertap]).toEqual(['npx', 'layertap']);
    expect((await run(args, { env, cwd })).stdout).toContain('1: 0 ok, 1 failed (1 crashed-worker)');
    // Where nothing is wrong with the decoder, the same command finds a whole image.
    await rm(join(cwd, 'reproduction'), { recursive: true });
    expect((await run(args, { cwd })).stdout).toContain('1: 1 ok, 0 failed');
  });

  it('kills nobody any more when its shard is done again', async () => {
    await rm(join(out, 'receipts/000/000000.json'));
    const { code, stderr } = await run(['resume', out, '--processes', '1'], { env });
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('ended by')]);
    await expectOnlyCrashed(out, POISON);
  });
});

describe('an image that ends the engine process otherwise', () => {
  it.each<[string, Fault, RegExp]>([
    ['as the kernel does that is out of memory', 'killed', /^ended by SIGKILL$/],
    ['by filling its heap', 'memory', /memory|SIGABRT|exit code 134/],
  ])('%s, is a failed row too', async (_how, fault, death) => {
    const out = await outFolder();
    const { code, stdout } = await extract(await imagesWith(folder => writePoison(join(folder, POISON), fault)), out);
    expect([code, stdout]).toEqual([0, expect.stringContaining('(1 crashed-worker)')]);
    await expectOnlyCrashed(out, POISON);
    expect((await recordsIn(out))[0]?.death).toMatch(death);
  });

  it('by never ending, is a failed row too', async () => {
    const source = await imagesWith(folder => writePoison(join(folder, '3-poison.png'), 'hang'));
    const out = await outFolder();
    // Short, for the test waits for all of it; long enough for an image of a machine that is busy.
    const { code, stdout } = await extract(source, out, ['--stall-timeout', '3']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('(1 crashed-worker)')]);
    await expectOnlyCrashed(out, '3-poison.png');
    expect((await recordsIn(out))[0]?.death).toContain('made no progress for 3 s');
  });

  it('in the engine, is a failed row too', async () => {
    const source = await imagesWith(folder => writeInferencePoison(join(folder, '5-poison.png')));
    const out = await outFolder();
    const { code, stdout } = await extract(source, out, ['--engine', 'onnx']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('(1 crashed-worker)')]);
    expect([...(await readRows(out))].map(([id, { values }]) => [id, values.error_code])).toEqual(
      [...Array.from({ length: WHOLE }, (_, index) => [`${index}.jpg`, null]), ['5-poison.png', 'crashed-worker']].sort(
        ([a], [b]) => (`${a}` < `${b}` ? -1 : 1),
      ),
    );
    expect(await recordsIn(out)).toMatchObject([{ sampleId: '5-poison.png', death: 'ended by SIGSEGV' }]);
  });

  it('is found beside others of its shard and of the next one', async () => {
    const names = ['0-poison.png', '1-poison.png', '5-poison.png'];
    const source = await imagesWith(async folder => {
      for (const name of names) await writePoison(join(folder, name), 'segfault');
    });
    const out = await outFolder();
    const { code, stdout } = await extract(source, out);
    expect([code, stdout]).toEqual([0, expect.stringContaining('(3 crashed-worker)')]);
    await expectOnlyCrashed(out, ...names);
    expect((await recordsIn(out)).map(({ sampleId }) => sampleId)).toEqual(names);
  });
});

describe('an image at whose time somebody kills the process', () => {
  it('is an ok row', async () => {
    const counter = join(await temporaryFolder(), 'deaths');
    // At the first attempt, at the second, and once more while the image is looked for.
    const source = await imagesWith(folder => writeUnlucky(join(folder, '2-unlucky.png'), counter, 3));
    const out = await outFolder();
    const { code, stdout } = await extract(source, out);
    expect([code, stdout]).toEqual([0, expect.stringContaining(`7: 7 ok, 0 failed`)]);
    expect(await readFile(counter, 'utf8')).toBe('0');
    expect(await readdir(out)).not.toContain('quarantine');
  });
});

describe('workers on Redis', () => {
  it('finish a run with images that kill their engine processes by themselves', async () => {
    const redis = await openOwnRedis();
    onTestFinished(() => redis.close());
    const names = ['0-poison.png', '4-poison.png'];
    const source = await imagesWith(async folder => {
      for (const name of names) await writePoison(join(folder, name), 'segfault');
    });
    const out = await outFolder();
    const work = ['work', '--redis', redis.url, '--processes', '1'];
    const workers = [start(work, { env }), start(work, { env })];
    const produced = await run([
      ...['enqueue', source, ...REQUEST, '--shard-size', '4', '--out', out],
      ...['--redis', redis.url, '--wait'],
    ]);
    expect([produced.code, produced.stdout]).toEqual([0, expect.stringContaining('(2 crashed-worker)')]);
    await expectOnlyCrashed(out, ...names);
    expect((await recordsIn(out)).map(({ sampleId }) => sampleId)).toEqual(names);
    for (const worker of workers) worker.kill('SIGTERM');
    expect((await Promise.all(workers.map(({ ended }) => ended))).map(({ code }) => code)).toEqual([0, 0]);
  });
});
