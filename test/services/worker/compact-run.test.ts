// Compaction: few files with the same rows bit for bit, in every format; whatever interrupts it or is damaged is mended.
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { planRetry } from '../../../services/producer/src/plan-retry.ts';
import { compactRun, settleSharedFiles } from '../../../services/worker/src/compact-run.ts';
import { replaceRows } from '../../../services/worker/src/replace-rows.ts';
import { finishRun, summarizeRun } from '../../../shared/src/finish-run.ts';
import { readPart } from '../../../shared/src/part-reader.ts';
import { repairRun } from '../../../shared/src/repair-run.ts';
import {
  missingShards,
  openRun,
  partsFolder,
  readReceipt,
  receiptPath,
  SUMMARY_FILE,
} from '../../../shared/src/run.ts';
import type { StagedFile, Storage } from '../../../shared/src/storage.ts';
import { isTemporary, openFileStorage } from '../../../shared/src/storages/file.ts';
import { verifyRun } from '../../../shared/src/verify-run.ts';
import { flipBit, flipBitOf } from '../../support/flip-bit.ts';
import { killAtStep } from '../../support/kill-at-step.ts';
import { rowDigests } from '../../support/read-rows.ts';
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

const ALL = { fileBytes: 1e9 };

/** Six shards: five of four rows and one of two. */
function doneRun(options: SmallRunOptions = {}): Promise<SmallRun> {
  return finishedSmallRun({ rows: 22, failedRows: [1, 9, 10], ...options });
}

async function expectWhole(small: Pick<SmallRun, 'storage' | 'run'>): Promise<void> {
  expect((await verifyRun(small.storage, small.run, { deep: true })).damages).toEqual([]);
}

async function sizeOfPart(small: SmallRun, shard: number): Promise<number> {
  return (await readReceipt(small.storage, small.run, shard))?.files[0]?.bytes ?? 0;
}

describe.each(['parquet', 'arrow', 'both'] as const)('a compacted run of %s parts', format => {
  it.each(['float32', 'float16'] as const)('has one file with all %s rows as they were', async dtype => {
    const columns = [
      { name: 'block/conv', dtype, shape: [4, 4, 8] },
      { name: 'avg_pool', dtype, shape: [16] },
    ];
    const small = await doneRun({ format, columns });
    const formats = format === 'both' ? (['parquet', 'arrow'] as const) : [format];
    const before = await Promise.all(formats.map(one => rowDigests(small.root, one)));
    expect(await compactRun(small.storage, small.run, ALL)).toBe(6);
    expect(await Promise.all(formats.map(one => rowDigests(small.root, one)))).toEqual(before);
    const paths = await pathsIn(small.storage, 'parts');
    expect(paths.map(path => path.replace(/-[0-9a-f]{8}\./, '-HASH.')).sort()).toEqual(
      formats.map(one => `${partsFolder(small.run, one)}/000/000000-000005-HASH.${one}`).sort(),
    );
    await expectWhole(small);
    // Whoever opens the file without our receipts sees each row once, in order.
    for (const path of paths) {
      const one = path.endsWith('.arrow') ? 'arrow' : 'parquet';
      const ids: unknown[] = [];
      for await (const batch of readPart(join(small.root, path), one, ['sample_id']))
        ids.push(...(batch.getChild('sample_id')?.toArray() ?? []));
      expect(ids).toEqual(small.samples.map(({ sampleId }) => sampleId));
    }
    const summary = await finishRun(small.storage, small.run);
    expect(summary).toMatchObject({ rows: 22, ok: 19, failed: 3, files: formats.length });
  });
});

describe('a compaction', () => {
  it('leaves alone what is compact already, and takes later shards into a new file', async () => {
    // Uncompressed and large beside what each file has anyway: the sizes add up.
    const columns = [{ name: 'map', dtype: 'float32', shape: [4096] }] as const;
    const small = await createSmallRun(await temporaryFolder(), { rows: 22, format: 'arrow', columns });
    for (let shard = 0; shard < 4; shard++) await publishShard(small, shard);
    const fileBytes = 5 * (await sizeOfPart(small, 0));
    expect(await compactRun(small.storage, small.run, { fileBytes })).toBe(4);
    const first = await pathsIn(small.storage, 'parts');
    expect(await compactRun(small.storage, small.run, { fileBytes })).toBe(0);
    await publishShard(small, 4);
    await publishShard(small, 5);
    expect(await compactRun(small.storage, small.run, { fileBytes })).toBe(2);
    const second = await pathsIn(small.storage, 'parts');
    expect(second).toHaveLength(2);
    expect(second).toContain(first[0]);
    await expectWhole(small);
  });

  it('joins no shards between which one is missing', async () => {
    const small = await createSmallRun(await temporaryFolder(), { rows: 22 });
    for (const shard of [0, 1, 3, 4, 5]) await publishShard(small, shard);
    expect(await compactRun(small.storage, small.run, ALL)).toBe(5);
    const names = (await pathsIn(small.storage, 'parts')).map(path => path.slice(10, 23));
    expect(names).toEqual(['000000-000001', '000003-000005']);
    await publishShard(small, 2);
    await expectWhole(small);
  });

  it('copies no rows of a part that is damaged', async () => {
    const small = await doneRun({ format: 'arrow' });
    const path = await flipBit(small, 2);
    const before = await pathsIn(small.storage, '.');
    const { message, hint } = await refusalOf(() => compactRun(small.storage, small.run, ALL), 'run-unreadable');
    expect([message, hint]).toEqual([expect.stringContaining(path), expect.stringContaining('resume')]);
    expect(await pathsIn(small.storage, '.')).toEqual(before);
  });

  it('makes files up to the size that it is given', async () => {
    const small = await doneRun();
    const before = await rowDigests(small.root);
    await compactRun(small.storage, small.run, { fileBytes: 2.2 * (await sizeOfPart(small, 0)) });
    const names = (await pathsIn(small.storage, 'parts')).map(path => path.slice(10, 23));
    expect(names).toEqual(['000000-000001', '000002-000003', '000004-000005']);
    expect(await rowDigests(small.root)).toEqual(before);
    await expectWhole(small);
  });

  it('takes away the summary that a worker writes between two of its files', async () => {
    const small = await doneRun();
    const { storage } = small;
    let finished = 0;
    let beside = 0;
    const watched: Storage = {
      ...storage,
      async stage(directory): Promise<StagedFile> {
        const staged = await storage.stage(directory);
        return {
          ...staged,
          async publish(path): Promise<void> {
            if ((await storage.size(SUMMARY_FILE)) !== undefined) beside++;
            await staged.publish(path);
          },
        };
      },
      async remove(path): Promise<void> {
        await storage.remove(path);
        if (path.startsWith('parts/') && (await finishRun(storage, small.run)) !== undefined) finished++;
      },
    };
    await compactRun(watched, small.run, { fileBytes: 2.2 * (await sizeOfPart(small, 0)) });
    expect([finished > 0, beside]).toEqual([true, 0]);
  });

  it.each(['parquet', 'arrow'] as const)(
    'of %s parts, killed before any of its steps, loses no row and is mended',
    async format => {
      const small = await doneRun({ rows: 12, format });
      const before = await rowDigests(small.root, format);
      const killedAt = async (step: number): Promise<number | undefined> => {
        const out = join(await temporaryFolder(), 'out');
        await cp(small.root, out, { recursive: true });
        const ended = await killAtStep({ out, step, work: { kind: 'compact', ...ALL } });
        const storage = openFileStorage(out);
        const run = await openRun(storage);
        const { damages, rows } = await verifyRun(storage, run, { deep: true });
        expect(rows).toBe(12);
        expect(damages.filter(({ code }) => code !== 'part-unnamed' && code !== 'part-shared')).toEqual([]);
        // No reader's glob sees an unfinished file.
        if (damages.some(({ file }) => !isTemporary(file))) expect(await storage.read(SUMMARY_FILE)).toBeUndefined();
        if (damages.some(({ code }) => code === 'part-shared')) expect(await finishRun(storage, run)).toBeUndefined();
        expect(await rowDigests(out, format)).toEqual(before);
        // The same command ends it, and so does resume.
        const again = `${out}-again`;
        await cp(out, again, { recursive: true });
        const other = openFileStorage(again);
        await compactRun(other, run, ALL);
        await finishRun(other, run);
        await settleSharedFiles(storage, run);
        await finishRun(storage, run);
        for (const mended of [storage, other]) {
          await expectWhole({ storage: mended, run });
          expect(await rowDigests(mended.root, format)).toEqual(before);
        }
        expect(await pathsIn(other, 'parts')).toHaveLength(1);
        return ended;
      };
      const steps = (await killedAt(0)) ?? 0;
      // Part staged, summary, three receipts staged, part and receipts named, three old parts removed.
      expect(steps).toBe(12);
      for (let step = 1; step <= steps; step++) expect(await killedAt(step)).toBeUndefined();
    },
    600_000,
  );
});

describe('a compacted run', () => {
  it('of which a file is damaged has all of its shards done again, and no other', async () => {
    const small = await doneRun();
    await compactRun(small.storage, small.run, { fileBytes: 2.2 * (await sizeOfPart(small, 0)) });
    const [, path] = await pathsIn(small.storage, 'parts');
    await flipBitOf(join(small.root, path ?? ''), 700);
    expect(await repairRun(small.storage, small.run, 'sizes')).toEqual([]);
    const damages = await repairRun(small.storage, small.run, 'bytes');
    expect(damages.map(({ code, shard, file }) => [code, shard, file])).toEqual([
      ['part-damaged', 2, path],
      ['part-damaged', 3, path],
    ]);
    expect(await missingShards(small.storage, small.run)).toEqual([2, 3]);
    await publishShards(small);
    await finishRun(small.storage, small.run);
    await expectWhole(small);
  });

  it('of which a receipt is damaged gives the other shards of the file parts of their own', async () => {
    const small = await doneRun();
    const before = await rowDigests(small.root);
    await compactRun(small.storage, small.run, ALL);
    await writeFile(join(small.root, receiptPath(small.run, 1)), '{');
    expect((await repairRun(small.storage, small.run, 'sizes')).map(({ shard }) => shard)).toEqual([1]);
    expect((await verifyRun(small.storage, small.run)).damages.map(({ code }) => code)).toEqual([
      'receipt-missing',
      'part-shared',
    ]);
    expect(await settleSharedFiles(small.storage, small.run)).toBe(5);
    await publishShard(small, 1);
    expect(await finishRun(small.storage, small.run)).toMatchObject({ files: 6 });
    await expectWhole(small);
    expect(await rowDigests(small.root)).toEqual(before);
  });

  it('of which a file is damaged is not taken apart either', async () => {
    const small = await doneRun({ format: 'arrow' });
    await compactRun(small.storage, small.run, ALL);
    const path = await flipBit(small, 0);
    await rm(join(small.root, receiptPath(small.run, 1)));
    const { message } = await refusalOf(() => settleSharedFiles(small.storage, small.run), 'run-unreadable');
    expect(message).toContain(path);
    expect(await pathsIn(small.storage, 'parts')).toEqual([path]);
  });

  it('of which a file is missing is seen by sizes alone', async () => {
    const small = await doneRun();
    await compactRun(small.storage, small.run, ALL);
    for (const path of await pathsIn(small.storage, 'parts')) await rm(join(small.root, path));
    await repairRun(small.storage, small.run, 'sizes');
    expect(await missingShards(small.storage, small.run)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('has its failed rows done again as any other', async () => {
    const small = await doneRun({ format: 'both' });
    const before = await rowDigests(small.root);
    await compactRun(small.storage, small.run, ALL);
    const retry = await planRetry(small.storage, small.run, new Set());
    if (retry === undefined) throw new Error('Expected failed rows');
    const failed = new Set([1, 9, 10]);
    const samples = small.samples.filter((_, row) => failed.has(row));
    await publishShards({ ...retry, root: retry.storage.root, samples, failedRows: new Set() });
    expect(await replaceRows(small.storage, small.run, { ...retry, codes: new Set() })).toMatchObject({ ok: 3 });
    await retry.remove();
    expect(await summarizeRun(small.storage, small.run)).toMatchObject({ ok: 22, failed: 0, files: 12 });
    await expectWhole(small);
    const ids = new Set(samples.map(({ sampleId }) => sampleId));
    for (const one of ['parquet', 'arrow'] as const)
      for (const [id, digest] of Object.entries(await rowDigests(small.root, one)))
        expect(digest === before[id]).toBe(!ids.has(id));
  });
});
