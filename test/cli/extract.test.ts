// layertap extract from end to end on the demo images: what it writes, prints and computes.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { tensorFlowStatus } from '../../setup/src/tensorflow-library.ts';
import { BROKEN_CODES, DEMO_MODEL, useDemoSet } from '../support/demo-set.ts';
import { jsonLines, type RunResult, run } from '../support/layertap.ts';
import { digestsOf, type ReadRow, readJson, readRows, rowDigests } from '../support/read-rows.ts';

/** The compiled model where it is faster here, else TensorFlow, or wasm where that can't be had. */
const ENGINE = new RegExp(`^(onnx|${tensorFlowStatus().available ? 'tensorflow' : 'wasm'})$`);

const demo = useDemoSet();

function extract(out: string, ...flags: readonly string[]): Promise<RunResult> {
  return run(['extract', demo.images, '--model', DEMO_MODEL, '--out', join(demo.root, out), ...flags]);
}

/** The features of one layer, by sample. */
async function featuresOf(out: string, layer: string): Promise<ReadonlyMap<string, Float32Array | null>> {
  const rows = await readRows(join(demo.root, out));
  return new Map([...rows].map(([id, row]) => [id, row.features[layer] ?? null]));
}

function largestDifference(a: Float32Array | null | undefined, b: Float32Array | null | undefined): number {
  if (!a || !b) return a === b ? 0 : Number.POSITIVE_INFINITY;
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, index) => Math.max(most, Math.abs(value - (b[index] ?? Number.NaN))), 0);
}

function poolPlainly(values: Float32Array, channels: number, pool: 'mean' | 'max'): Float32Array {
  return Float32Array.from({ length: channels }, (_, channel) => {
    const own = values.filter((_value, index) => index % channels === channel);
    return pool === 'max' ? Math.max(...own) : own.reduce((sum, value) => sum + value, 0) / own.length;
  });
}

describe('a run of two layers in both formats', () => {
  let result: RunResult;
  let out: string;
  let rows: Map<string, ReadRow>;

  beforeAll(async () => {
    out = join(demo.root, 'shared');
    result = await extract('shared', '--layer', 'conv3', '--layer', 'features', '--format', 'both', '--batch', '8');
    rows = await readRows(out);
  });

  it('ends with status 0 and a report of what was written', () => {
    expect(/engine (\w+): /.exec(result.stderr)?.[1]).toMatch(ENGINE);
    expect(result.code).toBe(0);
    expect(result.stdout).toContain('conv3 [16 × 16 × 64], features [96]');
    expect(result.stdout).toContain('45: 40 ok, 5 failed');
    expect(result.stdout).toContain('npx layertap show');
  });

  it('writes one row per image, in the order of the sorted source, with its class as label', () => {
    const ids = [...rows.keys()];
    expect(ids).toHaveLength(demo.rows);
    expect(ids).toEqual([...ids].sort());
    for (const [id, { values }] of rows) {
      expect(values.label).toBe(id.split('/')[0]);
      expect(values.uri).toBe(join(demo.images, id));
    }
  });

  it('names every broken image with its code and a reason, and leaves its features null', () => {
    const failed = [...rows].filter(([, { values }]) => values.status === 'failed');
    expect(Object.fromEntries(failed.map(([id, { values }]) => [id, values.error_code]))).toEqual(BROKEN_CODES);
    for (const [, { values, features }] of failed) {
      expect(String(values.error_message).length).toBeGreaterThan(5);
      expect(features).toEqual({ conv3: null, features: null });
    }
  });

  it('gives every other row its size, hash and both features', () => {
    for (const { values, features } of [...rows.values()].filter(row => row.values.status === 'ok')) {
      expect(values.error_code).toBeNull();
      expect(values.sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(Number(values.width)).toBeGreaterThan(100);
      expect(features.conv3).toHaveLength(16 * 16 * 64);
      expect(features.features).toHaveLength(96);
      expect(new Set(features.features).size).toBeGreaterThan(10);
    }
  });

  it('writes the same rows as Arrow', async () => {
    expect(await rowDigests(out, 'arrow')).toEqual(digestsOf(rows));
  });

  it('sums up in summary.json', async () => {
    const summary = await readJson<Record<string, unknown>>(out, 'summary.json');
    expect(summary).toMatchObject({ rows: 45, ok: 40, failed: 5, engine: expect.stringMatching(ENGINE) });
    expect(summary.failures).toEqual({
      'corrupt-image': 1,
      'empty-file': 1,
      'unsupported-format': 2,
      'image-too-large': 1,
    });
    expect(summary.imagesPerSecond).toBeGreaterThan(0);
    const seconds = summary.seconds as Record<string, number>;
    expect(Object.keys(seconds)).toEqual(['read', 'decode', 'infer', 'pool', 'serialize', 'publish']);
    for (const stage of ['read', 'decode', 'infer', 'serialize', 'publish']) expect(seconds[stage]).toBeGreaterThan(0);
  });

  it('is clean for verify', async () => {
    const verified = await run(['verify', out, '--json']);
    expect(jsonLines(verified.stdout)).toEqual([{ out, clean: true, rows: 45, ok: 40, failed: 5, damages: [] }]);
    expect(verified.code).toBe(0);
  });

  it('is done for status, for people and for programs', async () => {
    const text = await run(['status', out]);
    expect(text.stdout).toMatch(/^done: 45 of 45 images, (\d+) of \1 shards/);
    const json = await run(['status', out, '--json']);
    expect(jsonLines(json.stdout)[0]).toMatchObject({ state: 'done', total: 45, rows: 45, failed: 5, out });
    expect([text.code, json.code]).toEqual([0, 0]);
  });

  it('is shown by its first rows, or its failed ones', async () => {
    const first = await run(['show', out, '--rows', '2', '--json']);
    expect(jsonLines(first.stdout).map(row => row.sample_id)).toEqual([...rows.keys()].slice(0, 2));
    const failed = await run(['show', out, '--failed', '--rows', '10']);
    const shown = failed.stdout.trimEnd().split('\n').slice(1);
    expect(shown.map(line => line.split(/\s+/)[0])).toEqual(Object.keys(BROKEN_CODES));
  });

  it('is continued by the same command, which changes no file', async () => {
    const files = (await readdir(out, { recursive: true })).sort();
    const run1 = await readJson(out, 'run.json');
    const again = await extract(
      'shared',
      ...['--layer', 'conv3', '--layer', 'features', '--format', 'both', '--batch', '8'],
    );
    expect(again.code).toBe(0);
    expect(again.stderr).toContain('continuing the run');
    expect(again.stdout).toContain('45: 40 ok, 5 failed');
    expect((await readdir(out, { recursive: true })).sort()).toEqual(files);
    expect(await readJson(out, 'run.json')).toEqual(run1);
    expect(await rowDigests(out)).toEqual(digestsOf(rows));
  });

  it.each(['mean', 'max'] as const)('gives with --pool %s what plain code makes of its features', async pool => {
    const flags = ['--layer', 'conv3', '--layer', 'features', '--pool', pool];
    expect((await extract(pool, ...flags, '--batch', '8')).code).toBe(0);
    const pooled = await readRows(join(demo.root, pool));
    expect([...pooled.keys()]).toEqual([...rows.keys()]);
    for (const [id, { features }] of rows) {
      const wanted = features.conv3 == null ? null : poolPlainly(features.conv3, 64, pool);
      expect(largestDifference(pooled.get(id)?.features.conv3, wanted)).toBeLessThan(1e-5);
      // A feature without space stays as it is.
      expect(largestDifference(pooled.get(id)?.features.features, features.features)).toBeLessThan(1e-5);
    }
  });

  it('has the same values for any batch, on either engine', async () => {
    const flags = ['--layer', 'features', '--batch', '5', '--shard-size', '7'];
    await Promise.all([extract('batch-5', ...flags), extract('wasm', ...flags, '--engine', 'wasm')]);
    const [other, wasm] = [await featuresOf('batch-5', 'features'), await featuresOf('wasm', 'features')];
    expect(other.size).toBe(demo.rows);
    for (const [id, { features }] of rows) {
      expect(largestDifference(other.get(id), features.features)).toBeLessThan(1e-5);
      expect(largestDifference(wasm.get(id), features.features)).toBeLessThan(1e-3);
    }
    expect(await readJson(demo.root, 'batch-5', 'run.json')).toMatchObject({ shardSize: 7, shards: 7 });
  });
});

describe('flags of extract', () => {
  it('--json prints JSON lines alone on standard output and progress as JSON on standard error', async () => {
    const result = await extract('json', '--layer', 'features', '--engine', 'wasm', '--json');
    const lines = result.stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ event: 'summary', rows: 45, engine: 'wasm' });
    const progress = jsonLines(result.stderr).filter(line => line.event === 'progress');
    expect(progress.at(-1)).toMatchObject({ done: 45, total: 45, failed: 5 });
    // wasm prints nothing of its own: every line is ours, and JSON.
    for (const line of result.stderr.trimEnd().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
  });

  it('--with-predictions adds the outputs of the same pass', async () => {
    await extract('predictions', '--layer', 'features', '--engine', 'wasm', '--with-predictions', '--limit', '6');
    const rows = await readRows(join(demo.root, 'predictions'));
    expect(rows.size).toBe(6);
    for (const { values, features } of rows.values()) {
      expect(Object.keys(features)).toEqual(['features', 'predictions']);
      if (values.status !== 'ok') continue;
      const sum = features.predictions?.reduce((total, value) => total + value, 0);
      expect(sum).toBeCloseTo(1, 5);
    }
  });

  it('--limit takes the first images, and --shard-size as many a part', async () => {
    const flags = ['--layer', 'features', '--engine', 'wasm', '--limit', '10', '--shard-size', '4'];
    expect((await extract('limit', ...flags)).code).toBe(0);
    const ids = [...(await readRows(join(demo.root, 'limit'))).keys()];
    const found = await readdir(demo.images, { recursive: true });
    const sources = found.filter(path => /\.(jpg|png)$/.test(path)).sort();
    expect(ids).toEqual(sources.slice(0, 10));
    const parts = await readdir(join(demo.root, 'limit', 'parts', '000'));
    expect(parts.map(name => name.slice(0, 6)).sort()).toEqual(['000000', '000001', '000002']);
  });

  it('--recipe and recipe flags are stored in the run, and change the values', async () => {
    const base = ['--layer', 'features', '--engine', 'wasm', '--limit', '3'];
    await Promise.all([extract('plain', ...base), extract('flags', ...base, '--channels', 'bgr', '--mean', '-1')]);
    const record = await readJson<{ request: { recipe: unknown; recipeOrigin: string } }>(
      demo.root,
      'flags',
      'run.json',
    );
    expect(record.request.recipeOrigin).toBe('flags');
    expect(record.request.recipe).toMatchObject({ width: 64, channels: 'bgr', mean: [-1] });
    const [plain, other] = [await featuresOf('plain', 'features'), await featuresOf('flags', 'features')];
    for (const [id, values] of plain) expect(other.get(id)).not.toEqual(values);
  });

  it('can stand in the environment, where a flag wins over its variable', async () => {
    const env = {
      LAYERTAP_MODEL: DEMO_MODEL,
      LAYERTAP_LAYER: 'conv4, features',
      LAYERTAP_BATCH: '3',
      LAYERTAP_SHARD_SIZE: '5',
      LAYERTAP_LIMIT: '40',
      LAYERTAP_ENGINE: 'wasm',
      LAYERTAP_WITH_PREDICTIONS: 'true',
      LAYERTAP_JSON: '1',
      LAYERTAP_OUT: join(demo.root, 'environment'),
    };
    const result = await run(['extract', demo.images, '--limit', '12'], { env });
    expect(result.code).toBe(0);
    expect(jsonLines(result.stdout)[0]).toMatchObject({ rows: 12, shards: 3 });
    const record = await readJson<Record<string, unknown>>(demo.root, 'environment', 'run.json');
    expect(record).toMatchObject({
      shardSize: 5,
      request: { batch: 3, layers: ['conv4', 'features', 'predictions'], engine: 'wasm' },
    });
  });

  it('--processes works on several shards at once', async () => {
    const flags = ['--layer', 'features', '--engine', 'wasm', '--shard-size', '5', '--processes', '2'];
    expect((await extract('two', ...flags)).code).toBe(0);
    const verified = await run(['verify', join(demo.root, 'two')]);
    expect(verified.stdout).toContain('clean: 45 images');
  });
});
