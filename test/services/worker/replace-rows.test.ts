// The rows of a retry in the place of the failed ones: all others bit for bit as they were, and a kill at any step loses nothing.
import { cp, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type PlannedRetry, planRetry } from '../../../services/producer/src/plan-retry.ts';
import { type Conditions, keepConditions } from '../../../services/worker/src/deterministic.ts';
import { type Crash, quarantineImage, readQuarantine } from '../../../services/worker/src/quarantine.ts';
import { replaceRows } from '../../../services/worker/src/replace-rows.ts';
import { finishRun } from '../../../shared/src/finish-run.ts';
import { removeGarbage } from '../../../shared/src/garbage.ts';
import type { Sample } from '../../../shared/src/manifest.ts';
import { openRun, readReceipt, receiptPath, SUMMARY_FILE } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { isTemporary, openFileStorage } from '../../../shared/src/storages/file.ts';
import { verifyRun } from '../../../shared/src/verify-run.ts';
import { flipBit } from '../../support/flip-bit.ts';
import { killAtStep } from '../../support/kill-at-step.ts';
import { digestsOf, readRows, rowDigests } from '../../support/read-rows.ts';
import { refusalOf } from '../../support/refusal.ts';
import {
  createSmallRun,
  finishedSmallRun,
  pathsIn,
  publishShard,
  publishShards,
  type SmallRun,
  type SmallRunOptions,
} from '../../support/small-run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const FAILED = [1, 5, 6];

function doneRun(options: SmallRunOptions = {}): Promise<SmallRun> {
  return finishedSmallRun({ rows: 12, failedRows: FAILED, ...options });
}

/** Plans the retry and does it, with rows that are ok but for `failing`, positions in the retry. */
async function retried(small: SmallRun, failing: readonly number[] = []): Promise<PlannedRetry> {
  const retry = await planRetry(small.storage, small.run, new Set());
  if (retry === undefined) throw new Error('Expected failed rows');
  const samples = FAILED.flatMap(row => small.samples[row] ?? []);
  await publishShards({ ...retry, root: retry.storage.root, samples, failedRows: new Set(failing) });
  return retry;
}

function idsOf(small: SmallRun, rows: readonly number[]): ReadonlySet<string> {
  return new Set(rows.flatMap(row => small.samples[row]?.sampleId ?? []));
}

function without(
  digests: Readonly<Record<string, string>>,
  ids: ReadonlySet<string>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(digests).filter(([id]) => !ids.has(id)));
}

describe.each(['parquet', 'arrow', 'both'] as const)('a retry of %s parts', format => {
  it.each(['float32', 'float16'] as const)(
    'puts its %s rows in place and leaves all others as they are',
    async dtype => {
      const columns = [
        { name: 'block/conv', dtype, shape: [4, 4, 8] },
        { name: 'avg_pool', dtype, shape: [16] },
      ];
      const small = await doneRun({ format, columns });
      const one = format === 'arrow' ? 'arrow' : 'parquet';
      const before = await rowDigests(small.root, one);
      const retry = await retried(small, [2]);
      const result = await replaceRows(small.storage, small.run, { ...retry, codes: new Set() });
      expect(result).toEqual({ shards: 2, rows: 3, ok: 2 });
      const rows = await readRows(small.root, one);
      expect(without(digestsOf(rows), idsOf(small, FAILED))).toEqual(without(before, idsOf(small, FAILED)));
      const again = [...(await readRows(retry.storage.root, one))];
      expect(again.map(([id]) => id)).toEqual([...idsOf(small, FAILED)]);
      for (const [id, row] of again) expect(rows.get(id)).toEqual(row);
      await retry.remove();
      expect((await verifyRun(small.storage, small.run, { deep: true })).damages).toEqual([]);
      const receipt = await readReceipt(small.storage, small.run, 1);
      expect(receipt).toMatchObject({
        ok: 3,
        failed: 1,
        failures: { 'corrupt-image': 1 },
        retries: [{ rows: [1, 2] }],
      });
    },
  );
});

describe('a retry', () => {
  it('takes the summary away until the run is finished again', async () => {
    const small = await doneRun();
    const retry = await retried(small);
    await replaceRows(small.storage, small.run, { ...retry, codes: new Set() });
    expect(await small.storage.read(SUMMARY_FILE)).toBeUndefined();
    expect(await finishRun(small.storage, small.run)).toMatchObject({ ok: 12, failed: 0 });
  });

  it('beside workers leaves out rows that failed since, and such as did not fail any more', async () => {
    const root = join(await temporaryFolder(), 'out');
    const small = await createSmallRun(root, { rows: 16, failedRows: [1, 3, 5, 6, 9] });
    for (const shard of [1, 3]) await publishShard(small, shard);
    await publishShard({ ...small, failedRows: new Set([1]) }, 0);
    const retry = await planRetry(small.storage, small.run, new Set());
    if (retry === undefined) throw new Error('Expected failed rows');
    const samples = FAILED.flatMap(row => small.samples[row] ?? []);
    await publishShards({ ...retry, root: retry.storage.root, samples, failedRows: new Set() });
    // The first shard is done again, with another failed row than before; the third one is done for the first time.
    await small.storage.remove(receiptPath(small.run, 0));
    await publishShard({ ...small, failedRows: new Set([3]) }, 0);
    await publishShard(small, 2);
    const result = await replaceRows(small.storage, small.run, { ...retry, codes: new Set() });
    expect(result).toEqual({ shards: 1, rows: 2, ok: 2 });
    const rows = [...(await readRows(small.root)).values()];
    expect(rows.flatMap(({ values }, row) => (values.status === 'ok' ? [] : row))).toEqual([3, 9]);
    await removeGarbage(small.storage, small.run);
    expect((await verifyRun(small.storage, small.run, { deep: true })).damages).toEqual([]);
  });

  it('that is stopped while it is planned leaves nothing', async () => {
    const small = await doneRun();
    const before = await readdir(small.root);
    const stopping = new AbortController();
    const read = small.storage.read;
    const storage: Storage = {
      ...small.storage,
      read(path): Promise<Uint8Array | undefined> {
        if (path === receiptPath(small.run, 1)) stopping.abort(new Error('told to stop'));
        return read(path);
      },
    };
    await expect(planRetry(storage, small.run, new Set(), stopping.signal)).rejects.toThrow('told to stop');
    expect(await readdir(small.root)).toEqual(before);
  });

  it('takes images that kill again into the quarantine of the run, and those that are ok now out of it', async () => {
    const small = await doneRun();
    const { storage, run } = small;
    const crashOf = (sample: Sample | undefined, shard: number, row: number): Crash => {
      if (sample === undefined) throw new Error('Expected a sample');
      return { shard, row, sample, death: 'ended by SIGSEGV' };
    };
    await quarantineImage(storage, run, crashOf(small.samples[1], 0, 1));
    await quarantineImage(storage, run, crashOf(small.samples[5], 1, 1));
    const retry = await planRetry(storage, run, new Set());
    if (retry === undefined) throw new Error('Expected failed rows');
    const uri = join(await temporaryFolder(), 'photo.jpg');
    await writeFile(uri, 'deadly');
    const samples = FAILED.flatMap(row => small.samples[row] ?? []);
    const failure = { code: 'crashed-worker', message: 'see quarantine/000/000000-2' } as const;
    await publishShards({ ...retry, root: retry.storage.root, samples, failedRows: new Set([2]), failure });
    const deadly = crashOf(samples[2], 0, 2);
    await quarantineImage(retry.storage, retry.run, { ...deadly, sample: { ...deadly.sample, uri } });
    await replaceRows(storage, run, { ...retry, codes: new Set() });
    await retry.remove();
    const sampleId = small.samples[6]?.sampleId ?? '';
    expect((await readRows(small.root)).get(sampleId)?.values).toMatchObject({
      error_code: 'crashed-worker',
      error_message: 'alone with it, the engine process ended by SIGSEGV: see quarantine/000/000001-2',
    });
    expect((await readQuarantine(storage, run, 0)).size).toBe(0);
    expect([...(await readQuarantine(storage, run, 1))]).toEqual([
      [2, expect.objectContaining({ shard: 1, row: 2, sampleId, copy: 'image.jpg' })],
    ]);
    expect(await pathsIn(storage, 'quarantine/000/000001-2')).toHaveLength(4);
    const { reproduce } = (await readQuarantine(storage, run, 1)).get(2) ?? {};
    expect(reproduce).toContain(`${small.root}/quarantine/000/000001-2/list.txt`);
    expect((await verifyRun(storage, run, { deep: true })).damages).toEqual([]);
  });

  it('of a deterministic run is bound to the conditions that the run began with', async () => {
    const small = await doneRun();
    const conditions: Conditions = { cpu: 'one of then', threads: 1, versions: {} };
    await keepConditions(small.storage, conditions);
    const retry = await planRetry(small.storage, small.run, new Set());
    if (retry === undefined) throw new Error('Expected failed rows');
    await refusalOf(() => keepConditions(retry.storage, { ...conditions, cpu: 'one of now' }), 'conditions-differ');
    await keepConditions(retry.storage, conditions);
  });

  it('of another code than the failed rows have is none at all', async () => {
    const small = await doneRun();
    expect(await planRetry(small.storage, small.run, new Set(['not-found']))).toBeUndefined();
    expect((await pathsIn(small.storage, '.')).filter(path => path.includes('.layertap-'))).toEqual([]);
  });

  it('copies no rows of a part that is damaged', async () => {
    const small = await doneRun({ format: 'arrow' });
    const retry = await retried(small);
    const path = await flipBit(small, 1);
    const replacing = () => replaceRows(small.storage, small.run, { ...retry, codes: new Set() });
    const { message, hint } = await refusalOf(replacing, 'run-unreadable');
    expect([message, hint]).toEqual([expect.stringContaining(path), expect.stringContaining('resume')]);
    expect((await verifyRun(small.storage, small.run)).damages.map(({ file }) => file)).toContain(path);
  });

  it('whose rows are those of other samples changes nothing', async () => {
    const small = await doneRun();
    const before = await rowDigests(small.root);
    const [a, b, c] = FAILED.map(row => small.samples[row]);
    const retry = await planRetry(small.storage, small.run, new Set());
    if (retry === undefined || !a || !b || !c) throw new Error('Expected failed rows');
    const swapped = { ...retry, root: retry.storage.root, samples: [b, a, c], failedRows: new Set<number>() };
    await publishShards(swapped);
    const replacing = replaceRows(small.storage, small.run, { ...retry, codes: new Set() });
    await expect(replacing).rejects.toThrow('was the run changed meanwhile?');
    expect(await rowDigests(small.root)).toEqual(before);
  });

  it('killed before any of its steps leaves one whole row for each sample, and else only garbage', async () => {
    const small = await doneRun();
    const before = without(await rowDigests(small.root), idsOf(small, FAILED));
    const retry = await retried(small);
    const killedAt = async (step: number): Promise<number | undefined> => {
      const out = join(await temporaryFolder(), 'out');
      await cp(small.root, out, { recursive: true });
      const ended = await killAtStep({ out, step, work: { kind: 'replace-rows', retry: retry.storage.root } });
      const storage = openFileStorage(out);
      const run = await openRun(storage);
      const { damages, rows } = await verifyRun(storage, run, { deep: true });
      expect(rows).toBe(12);
      expect(damages.filter(({ code }) => code !== 'part-unnamed')).toEqual([]);
      // Where old and new parts lie side by side, no summary says that the run is done.
      if (damages.some(({ file }) => !isTemporary(file))) expect(await storage.read(SUMMARY_FILE)).toBeUndefined();
      await removeGarbage(storage, run);
      expect((await verifyRun(storage, run)).damages).toEqual([]);
      expect(without(await rowDigests(out), idsOf(small, FAILED))).toEqual(before);
      if (ended !== undefined) expect(await finishRun(storage, run)).toMatchObject({ ok: 12, failed: 0 });
      return ended;
    };
    const steps = (await killedAt(0)) ?? 0;
    // For each of two shards: part staged, summary, receipt staged, both named, the old part removed.
    expect(steps).toBe(12);
    for (let step = 1; step <= steps; step++) expect(await killedAt(step)).toBeUndefined();
  }, 600_000);
});
