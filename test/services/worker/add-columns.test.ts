// Columns of added layers: beside the old values bit for bit, in every format; whatever interrupts it or is damaged is mended.
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { addColumns, endAdding } from '../../../services/worker/src/add-columns.ts';
import { compactRun } from '../../../services/worker/src/compact-run.ts';
import { fingerprintOf } from '../../../shared/src/fingerprint.ts';
import { finishRun } from '../../../shared/src/finish-run.ts';
import { findGarbage } from '../../../shared/src/garbage.ts';
import {
  encodeJson,
  missingShards,
  openRun,
  RUN_FILE,
  type RunRecord,
  readReceipt,
  receiptPath,
  SUMMARY_FILE,
} from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import type { FeatureDtype } from '../../../shared/src/tensor.ts';
import { verifyRun } from '../../../shared/src/verify-run.ts';
import { flipBit } from '../../support/flip-bit.ts';
import { killAtStep } from '../../support/kill-at-step.ts';
import { type ReadRow, readRows } from '../../support/read-rows.ts';
import { refusalOf } from '../../support/refusal.ts';
import {
  createSmallRun,
  finishedSmallRun,
  pathsIn,
  publishShard,
  requestOf,
  type SmallRun,
  type SmallRunOptions,
} from '../../support/small-run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const FOLDER = '.layertap-layers-0123456789ab';

interface Adding {
  readonly old: SmallRun;
  readonly added: SmallRun;
  readonly extended: RunRecord;
}

/** Three shards with `conv`, of which rows 1 and 9 failed, and beside them a finished run with `map`. */
async function adding(
  options: SmallRunOptions & { dtype?: FeatureDtype; lost?: readonly number[] } = {},
): Promise<Adding> {
  const { dtype = 'float32', lost = [], ...rest } = options;
  const conv = { name: 'conv', dtype, shape: [4, 4, 8] };
  const map = { name: 'map', dtype, shape: [3, 5] };
  const old = await finishedSmallRun({ columns: [conv], failedRows: [1, 9], ...rest });
  // Row 1 fails again; row 9 is readable by now.
  const own = { columns: [map], failedRows: [1, ...lost], batch: 2 };
  const request = { ...rest.request, batch: 2 };
  const added = await createSmallRun(join(old.root, FOLDER), { ...rest, ...own, request });
  for (let shard = 0; shard < added.run.shards; shard++) await publishShard(added, shard, 'b', 0.5);
  await finishRun(added.storage, added.run);
  const all = requestOf([conv, map], { format: old.run.request.format, ...rest.request });
  const extended: RunRecord = {
    ...old.run,
    request: all,
    fingerprint: fingerprintOf(all),
    columns: [...old.run.columns, ...added.run.columns],
    adding: { fingerprint: old.run.fingerprint, folder: FOLDER },
  };
  return { old, added, extended };
}

async function publishShardAgain(small: SmallRun, shard: number): Promise<void> {
  await rm(join(small.root, `receipts/000/00000${shard}.json`));
  await publishShard(small, shard, 'b', 0.5);
}

function only(rows: ReadonlyMap<string, ReadRow>, ...columns: readonly string[]): readonly unknown[] {
  return [...rows].map(([id, { values, features }]) => [id, values, ...columns.map(name => features[name])]);
}

async function expectWhole(storage: Storage, run: RunRecord): Promise<void> {
  expect((await verifyRun(storage, run, { deep: true })).damages).toEqual([]);
}

describe.each(['parquet', 'arrow', 'both'] as const)('columns added to %s parts', format => {
  it.each(['float32', 'float16'] as const)('stand beside the old %s values', async dtype => {
    const { old, added, extended } = await adding({ format, dtype });
    const formats = format === 'both' ? (['parquet', 'arrow'] as const) : [format];
    const before = await Promise.all(formats.map(one => readRows(old.root, one)));
    const fresh = await readRows(added.root, formats[0]);
    const run = await addColumns(old.storage, old.run, { ...added, extended });
    expect(run).toEqual(await openRun(old.storage));
    expect(run).not.toHaveProperty('adding');
    expect(await finishRun(old.storage, run)).toMatchObject({ rows: 10, ok: 8, failed: 2, files: 3 * formats.length });
    await expectWhole(old.storage, run);
    for (const [index, one] of formats.entries()) {
      const after = await readRows(old.root, one);
      expect(only(after, 'conv')).toEqual(only(before[index] ?? new Map(), 'conv'));
      for (const [row, { sampleId }] of old.samples.entries()) {
        const map = after.get(sampleId)?.features.map;
        expect(map).toEqual(row === 1 || row === 9 ? null : fresh.get(sampleId)?.features.map);
      }
    }
    const receipt = await readReceipt(old.storage, run, 2);
    expect(receipt).toMatchObject({ worker: { name: 'a' }, added: [{ columns: ['map'], worker: { name: 'b' } }] });
    expect(await pathsIn(old.storage, '.')).not.toContainEqual(expect.stringContaining(FOLDER));
  });
});

describe('adding columns', () => {
  it('takes the rows of compacted files too, and of batches that are cut otherwise', async () => {
    const { old, added, extended } = await adding();
    const before = await readRows(old.root);
    await compactRun(old.storage, old.run, { fileBytes: 1e9 });
    const run = await addColumns(old.storage, old.run, { ...added, extended });
    await finishRun(old.storage, run);
    expect(await pathsIn(old.storage, 'parts')).toHaveLength(3);
    await expectWhole(old.storage, run);
    expect(only(await readRows(old.root), 'conv')).toEqual(only(before, 'conv'));
  });

  it('counts vectors of the new columns that are not finite', async () => {
    const { old, added, extended } = await adding({ dtype: 'float16' });
    await rm(join(added.root, 'receipts/000/000001.json'));
    await publishShard(added, 1, 'b', Number.NaN);
    for (const shard of [0, 1]) {
      const receipt = await readReceipt(old.storage, old.run, shard);
      await old.storage.replace(receiptPath(old.run, shard), encodeJson({ ...receipt, warnings: {} }));
    }
    const run = await addColumns(old.storage, old.run, { ...added, extended });
    expect((await readReceipt(old.storage, run, 1))?.warnings).toEqual({ 'not-finite': 4 });
    expect((await readReceipt(old.storage, run, 0))?.warnings).toEqual({});
    // As receipts were once: what is not counted is not judged.
    expect(await readReceipt(old.storage, run, 2)).not.toHaveProperty('warnings');
    await finishRun(old.storage, run);
    await expectWhole(old.storage, run);
  });

  it('changes nothing where an image that has features failed this time', async () => {
    const { old, added, extended } = await adding({ lost: [2, 6] });
    const before = await pathsIn(old.storage, '.');
    const adds = addColumns(old.storage, old.run, { ...added, extended });
    const { message, hint } = await refusalOf(() => adds, 'run-incomplete');
    expect(message).toContain(`'${old.samples[2]?.sampleId}', '${old.samples[6]?.sampleId}' failed this time`);
    expect(hint).toContain(`npx layertap retry-failed ${added.root}`);
    expect(await pathsIn(old.storage, '.')).toEqual(before);
    expect(await openRun(old.storage)).toEqual(old.run);
  });

  it('leaves a shard whose old part is damaged to be done again', async () => {
    const { old, added, extended } = await adding({ format: 'arrow' });
    await flipBit(old, 1);
    const run = await addColumns(old.storage, old.run, { ...added, extended });
    expect(await missingShards(old.storage, run)).toEqual([1]);
    await publishShard({ ...old, run, failedRows: new Set() }, 1);
    await finishRun(old.storage, run);
    await expectWhole(old.storage, run);
  });

  it('that lost its folder leaves the shards to be done again', async () => {
    const { old, extended } = await adding();
    await old.storage.replace(RUN_FILE, encodeJson(extended));
    await rm(join(old.root, FOLDER), { recursive: true });
    const run = await endAdding(old.storage, extended);
    expect(await missingShards(old.storage, run)).toEqual([0, 1, 2]);
    expect(await openRun(old.storage)).toEqual(run);
  });

  it('leaves a shard whose old receipt is damaged to be done again', async () => {
    const { old, extended } = await adding();
    await old.storage.replace(RUN_FILE, encodeJson(extended));
    await writeFile(join(old.root, 'receipts/000/000001.json'), '{');
    const run = await endAdding(old.storage, extended);
    expect(await missingShards(old.storage, run)).toEqual([1]);
  });

  it('keeps an old shard whose new columns are damaged, and names them', async () => {
    const { old, added, extended } = await adding({ format: 'arrow' });
    await old.storage.replace(RUN_FILE, encodeJson(extended));
    const path = await flipBit(added, 1);
    const { message, hint } = await refusalOf(() => endAdding(old.storage, extended), 'run-unreadable');
    expect([message, hint]).toEqual([expect.stringContaining(path), expect.stringContaining(`resume ${added.root}`)]);
    expect(await missingShards(old.storage, extended)).toEqual([]);
    await publishShardAgain(added, 1);
    await finishRun(old.storage, await endAdding(old.storage, extended));
    await expectWhole(old.storage, await openRun(old.storage));
  });

  it('changes nothing where an image is another one by now, or where another command changed the run', async () => {
    const { old, added, extended } = await adding();
    const other = { ...added, samples: added.samples, run: added.run };
    await rm(join(added.root, 'receipts/000/000001.json'));
    await publishShard({ ...other, sha256: 'f'.repeat(64) }, 1, 'b', 0.5);
    const changed = await refusalOf(() => addColumns(old.storage, old.run, { ...added, extended }), 'run-incomplete');
    expect(changed.message).toMatch(/'class 4\/0004 ü\.jpg', .* and 1 more changed since/);
    await publishShardAgain(added, 1);
    await old.storage.replace(RUN_FILE, encodeJson({ ...old.run, runId: 'run-extended' }));
    await refusalOf(() => addColumns(old.storage, old.run, { ...added, extended }), 'run-mismatch');
    expect(await openRun(old.storage)).toMatchObject({ runId: 'run-extended', fingerprint: old.run.fingerprint });
  });

  it('keeps its folder from gc, and the run from having a summary, until it is ended', async () => {
    const { old, extended } = await adding();
    await rm(join(old.root, SUMMARY_FILE));
    expect((await findGarbage(old.storage, old.run)).some(({ kind }) => kind === 'workspace')).toBe(true);
    expect(await findGarbage(old.storage, extended)).toEqual([]);
    expect(await finishRun(old.storage, extended)).toBeUndefined();
  });

  it('killed before any of its steps, loses no value and is ended', { timeout: 600_000 }, async () => {
    // Two shards in two formats.
    const { old, added, extended } = await adding({ format: 'both', rows: 8, failedRows: [1] });
    const before = only(await readRows(old.root), 'conv');
    const fresh = await readRows(added.root);
    const killedAt = async (step: number): Promise<number | undefined> => {
      const out = join(await temporaryFolder(), 'out');
      await cp(old.root, out, { recursive: true });
      const ended = await killAtStep({ out, step, work: { kind: 'add-columns', folder: FOLDER, extended } });
      const storage = openFileStorage(out);
      expect(only(await readRows(out), 'conv')).toEqual(before);
      let run = await endAdding(storage, await openRun(storage));
      const own = { run: added.run, storage: openFileStorage(join(out, FOLDER)) };
      if (run.fingerprint === old.run.fingerprint) run = await addColumns(storage, run, { ...own, extended });
      expect(await finishRun(storage, run)).toMatchObject({ rows: 8, columns: [{ name: 'conv' }, { name: 'map' }] });
      await expectWhole(storage, run);
      const rows = await readRows(out);
      expect(only(rows, 'conv')).toEqual(before);
      const id = old.samples[4]?.sampleId ?? '';
      expect(rows.get(id)?.features.map).toEqual(fresh.get(id)?.features.map);
      return ended;
    };
    const steps = (await killedAt(0)) ?? 0;
    // Summary, run.json; of each shard its parts staged, receipt staged, parts and receipt named, old parts gone; run.json, folder.
    expect(steps).toBe(4 + 2 * 8);
    for (let step = 1; step <= steps; step++) expect(await killedAt(step)).toBeUndefined();
  });
});
