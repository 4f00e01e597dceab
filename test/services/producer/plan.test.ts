// The plan of a run: what is decided, what is written before the first job, what is refused before anything is.

import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LOWERING } from '../../../extractor/src/compile/lowering-version.ts';
import { type PlannedRun, planRun } from '../../../services/producer/src/plan.ts';
import { extractOptions } from '../../../shared/src/extract-options.ts';
import { fingerprintOf } from '../../../shared/src/fingerprint.ts';
import { parseOptions } from '../../../shared/src/options.ts';
import { openRun } from '../../../shared/src/run.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { verifyRun } from '../../../shared/src/verify-run.ts';
import { DEMO_MODEL } from '../../support/demo-set.ts';
import { refusalOf } from '../../support/refusal.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

interface Place {
  readonly source: string;
  readonly out: string;
}

async function placeOf(rows: number): Promise<Place> {
  const folder = await temporaryFolder();
  const source = join(folder, 'list.txt');
  await writeFile(source, Array.from({ length: rows }, (_, row) => `${row}.jpg`).join('\n'));
  return { source, out: join(folder, 'out') };
}

function plan({ source, out }: Place, ...flags: readonly string[]): Promise<PlannedRun> {
  const model = flags.includes('--model') ? [] : ['--model', 'null:8', '--size', '4x4', '--scale', '1'];
  const layer = flags.includes('--layer') ? [] : ['--layer', 'features'];
  const argv = [...model, ...layer, '--out', out, ...flags];
  const { values } = parseOptions(extractOptions, { argv, env: {}, command: 'layertap extract' });
  return planRun({ ...values, source });
}

describe('planRun', () => {
  it('writes run.json with request, fingerprint, columns and manifest, and nothing but it and the manifest', async () => {
    const place = await placeOf(10);
    const { run, storage, continued } = await plan(place, '--shard-size', '4', '--limit', '9');
    expect(continued).toBe(false);
    expect(await openRun(storage)).toEqual(run);
    expect(run).toMatchObject({
      source: place.source,
      limit: 9,
      request: { model: 'null:8', layers: ['features'], engine: 'null', recipeOrigin: 'flags', pool: 'none' },
      columns: [{ name: 'features', dtype: 'float32', shape: [8] }],
      carried: [],
      manifest: { rows: 9 },
      shardSize: 4,
      shards: 3,
    });
    expect(run.fingerprint).toBe(fingerprintOf(run.request));
    expect((await readdir(place.out)).sort()).toEqual(['manifest', 'run.json']);
  });

  it('continues the same work, whatever else was asked for, and decides nothing anew', async () => {
    const place = await placeOf(10);
    const first = await plan(place, '--shard-size', '4');
    const again = await plan(place, '--shard-size', '2', '--batch', '3');
    expect(again.continued).toBe(true);
    expect(again.run).toEqual(first.run);
  });

  it('goes on with the engine that the run began with, where the choice was left to it', async () => {
    const place = await placeOf(10);
    const model = ['--model', DEMO_MODEL, '--layer', 'features'];
    const first = await plan(place, ...model, '--engine', 'wasm');
    const again = await plan(place, ...model);
    expect(again.run).toEqual(first.run);
    expect(again.notes.join('\n')).toContain('engine wasm: The run began with it.');
    await expect(plan(place, ...model, '--engine', 'onnx')).rejects.toThrow(/engine was "wasm" and is now "onnx"/);
  });

  it('stores the version of the lowering with a compiled model', async () => {
    const model = ['--model', DEMO_MODEL, '--layer', 'features'];
    const { run } = await plan(await placeOf(2), ...model, '--engine', 'onnx');
    expect(run.request).toMatchObject({ engine: 'onnx', lowering: LOWERING });
    const other = { ...run.request, lowering: LOWERING + 1 };
    expect(fingerprintOf(other)).not.toBe(run.fingerprint);
  });

  it.each([
    ['null:8', 100_000, 2048, 49],
    // 128 MiB of 1 MiB rows, in whole batches of 32.
    ['null:262144', 5000, 128, 40],
    // A row of 512 MiB: still one batch.
    ['null:134217728', 100, 32, 4],
    // Few images are spread evenly over several workers.
    ['null:8', 3000, 94, 32],
    ['null:8', 1000, 42, 24],
    ['null:8', 512, 32, 16],
    ['null:8', 100, 32, 4],
    ['null:8', 3, 32, 1],
  ])('cuts %s × %d images into shards of %d', async (model, rows, shardSize, shards) => {
    const flags = ['--model', model, '--size', '4x4', '--scale', '1', '--max-output', 'none'];
    const { run } = await plan(await placeOf(rows), ...flags);
    expect([run.shardSize, run.shards]).toEqual([shardSize, shards]);
  });

  it('adds the predictions after the layers, once', async () => {
    const place = await placeOf(2);
    const flags = ['--model', DEMO_MODEL, '--engine', 'wasm', '--layer', 'predictions', '--layer', 'conv4'];
    const { run, notes } = await plan(place, ...flags, '--with-predictions', '--pool', 'mean');
    expect(run.columns.map(({ name, shape }) => [name, shape])).toEqual([
      ['predictions', [10]],
      ['conv4', [96]],
    ]);
    expect(notes.join('\n')).toMatch(
      /engine wasm: .*\nrecipe from the sidecar model\.recipe\.json: 64x64 pillow:bilinear, rgb, x\/127\.5 - 1/,
    );
  });

  it('has a column for each pooling and layer, and leaves the predictions as they are', async () => {
    const flags = ['--model', DEMO_MODEL, '--engine', 'wasm', '--layer', 'conv4', '--with-predictions'];
    const options = ['--pool', 'mean+max', '--pool', 'grid:2x2', '--normalize', 'l2', '--dtype', 'float16'];
    const { run } = await plan(await placeOf(2), ...flags, ...options);
    expect(run.columns).toEqual([
      { name: 'conv4@mean+max', dtype: 'float16', shape: [192] },
      { name: 'conv4@grid:2x2', dtype: 'float16', shape: [2, 2, 96] },
      { name: 'predictions', dtype: 'float16', shape: [10] },
    ]);
    expect(run.request).toMatchObject({
      layers: ['conv4', 'predictions'],
      predictions: ['predictions'],
      pool: ['mean+max', 'grid:2x2'],
      normalize: 'l2',
      dtype: 'float16',
    });
  });

  it('refuses a pooling that does not fit a layer, naming layer and shape, but for the predictions', async () => {
    const place = await placeOf(2);
    const flags = ['--model', DEMO_MODEL, '--engine', 'wasm', '--with-predictions', '--layer'];
    const { message } = await refusalOf(() => plan(place, ...flags, 'conv4', '--pool', 'cls'), 'bad-option');
    expect(message).toMatch(
      /fits layer 'conv4' of shape \[\d+, \d+, 96\] but received cls: it takes \[tokens, channels\]/,
    );
    await plan(place, ...flags, 'features', '--pool', 'cls');
  });

  it('refuses an output that is larger than allowed, or than the disk, and leaves nothing', async () => {
    const place = await placeOf(1000);
    const limited = await refusalOf(() => plan(place, '--max-output', '100kB'), 'output-unwritable');
    expect(limited.message).toBe(
      'Expected room for about 332.0 kB of features of 1000 images but --max-output allows 100.0 kB',
    );
    expect(limited.hint).toContain('--dtype float16');
    // 1000 rows of 10 TB.
    const model = ['--model', 'null:2500000000000', '--size', '4x4', '--scale', '1'];
    const full = await refusalOf(() => plan(place, ...model), 'output-unwritable');
    expect(full.message).toMatch(/about 10\.0 PB of features of 1000 images but the file system of '.*' has .* free/);
    expect(
      await readdir(place.out, { recursive: true }).then(paths => paths.filter(path => path.includes('.'))),
    ).toEqual([]);
    await plan(place, ...model, '--max-output', 'none');
  });

  it('asks for the engine to be prepared only when the request and the source are sound', async () => {
    const place = await placeOf(2);
    const prepared: string[] = [];
    const ask = (layer: string, source = place.source): Promise<PlannedRun> => {
      const argv = ['--model', DEMO_MODEL, '--layer', layer, '--out', place.out, '--engine', 'wasm'];
      const { values } = parseOptions(extractOptions, { argv, env: {}, command: 'layertap extract' });
      return planRun({
        ...values,
        source,
        prepareEngine: async model => void prepared.push(model.format),
      });
    };
    await refusalOf(() => ask('nope'), 'unknown-layer');
    await refusalOf(() => ask('features', '/nowhere/images'), 'source-unreadable');
    expect(prepared).toEqual([]);
    await ask('features');
    expect(prepared).toEqual(['tfjs-layers']);
  });

  it('refuses an unknown layer, an unknown source and a foreign file before it writes anything', async () => {
    const place = await placeOf(2);
    await refusalOf(() => plan(place, '--layer', 'nope'), 'unknown-layer');
    await refusalOf(() => plan({ ...place, source: `${place.source}.zip` }), 'source-unreadable');
    await expect(readdir(place.out)).rejects.toMatchObject({ code: 'ENOENT' });
    const foreign = join(place.out, '..');
    const { message } = await refusalOf(() => plan({ ...place, out: foreign }), 'run-mismatch');
    expect(message).toContain("it holds 'list.txt'");
    expect(await readdir(foreign)).toEqual(['list.txt']);
  });

  it('refuses a directory of other work, and says each difference', async () => {
    const place = await placeOf(3);
    await plan(place);
    const { message } = await refusalOf(() => plan(place, '--pool', 'max', '--limit', '2'), 'run-mismatch');
    expect(message).toContain('pool was "none" and is now "max"; limit was none and is now 2');
  });

  it('says what a continued run does not take over', async () => {
    const place = await placeOf(3);
    await plan(place);
    const { continued, notes } = await plan(place, '--batch', '7', '--shard-size', '1');
    expect(continued).toBe(true);
    expect(notes.join('; ')).toMatch(/manifest of 3 images stands.*--batch 32 stands.*--shard-size 32 stands/);
  });

  it('lets one of two producers win that begin in one directory at once, and its manifest stays its own', async () => {
    const [place, other] = [await placeOf(3), await placeOf(5)];
    const planned = await Promise.allSettled([plan(place), plan({ ...other, out: place.out })]);
    const winner = planned.flatMap(result => (result.status === 'fulfilled' ? result.value.run : []));
    expect(winner).toHaveLength(1);
    const run = winner[0];
    if (run === undefined) throw new Error('one producer wins');
    const { damages } = await verifyRun(openFileStorage(place.out), run);
    // Nothing is done yet; the record and the manifest are whole.
    expect(damages.every(({ message }) => message.includes('has no receipt'))).toBe(true);
    const loser = planned.flatMap(result => (result.status === 'rejected' ? result.reason : []));
    expect(loser[0]).toMatchObject({ code: 'run-mismatch' });
  });

  it('writes the manifest anew where a producer was killed before run.json', async () => {
    const place = await placeOf(3);
    await plan(place);
    await rm(join(place.out, 'run.json'));
    await writeFile(join(place.out, '.layertap-0123.tmp'), 'half a record');
    const { run, continued } = await plan(place, '--limit', '2');
    expect(continued).toBe(false);
    expect(run.manifest.rows).toBe(2);
  });
});
