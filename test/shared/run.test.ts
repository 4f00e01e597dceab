// The run directory: padded paths, run.json written once, what is done, what differs, what is damaged.
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ExtractRequest } from '../../shared/src/request.ts';
import {
  checkFingerprint,
  createRun,
  describeDifferences,
  doneShards,
  findRun,
  missingShards,
  openRun,
  partPath,
  RUN_FILE,
  RunRecord,
  readReceipt,
  readReceipts,
  receiptPath,
  shardName,
  shardRange,
} from '../../shared/src/run.ts';
import { openFileStorage } from '../../shared/src/storages/file.ts';
import { refusalOf } from '../support/refusal.ts';
import { createSmallRun, publishShard, RECIPE, runOf } from '../support/small-run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('paths', () => {
  it('have six digits, a thousand shards a folder', () => {
    expect(shardName({ shards: 3 }, 0)).toBe('000/000000');
    expect(shardName({ shards: 5000 }, 999)).toBe('000/000999');
    expect(shardName({ shards: 5000 }, 1000)).toBe('001/001000');
    expect(shardName({ shards: 1_000_000 }, 999_999)).toBe('999/999999');
  });

  it('have as many digits as the count of shards needs, so that names sort as numbers do', () => {
    expect(shardName({ shards: 12_345_678 }, 0)).toBe('00000/00000000');
    expect(shardName({ shards: 12_345_678 }, 12_345_677)).toBe('12345/12345677');
    const names = [0, 9, 999, 1000, 123_456, 1_000_000].map(shard => shardName({ shards: 1_000_001 }, shard));
    expect([...names].sort()).toEqual(names);
  });

  it('name receipts by the shard and parts by the shard and their content', () => {
    const run = runOf();
    expect(receiptPath(run, 2)).toBe('receipts/000/000002.json');
    const digest = '0123456789abcdef';
    expect(partPath(run, { first: 2, last: 2 }, digest, 'parquet')).toBe('parts/000/000002-01234567.parquet');
    expect(partPath(run, { first: 2, last: 4 }, digest, 'arrow')).toBe('parts/000/000002-000004-01234567.arrow');
  });
});

describe('shardRange', () => {
  it('cuts the manifest without gap or overlap, the last shard being shorter', () => {
    const run = runOf({ rows: 10, shardSize: 4 });
    expect([0, 1, 2].map(shard => shardRange(run, shard))).toEqual([
      { first: 0, rows: 4 },
      { first: 4, rows: 4 },
      { first: 8, rows: 2 },
    ]);
  });
});

describe('run.json', () => {
  it('reads back as it was written', async () => {
    const { storage, run } = await createSmallRun(await temporaryFolder());
    expect(await openRun(storage)).toEqual(run);
    expect(() => checkFingerprint(storage, run)).not.toThrow();
  });

  it('is written once: the second producer is told so and changes nothing', async () => {
    const storage = openFileStorage(await temporaryFolder());
    const [first, second] = [runOf(), { ...runOf(), runId: 'run-other' }];
    const created = await Promise.all([createRun(storage, first), createRun(storage, second)]);
    expect([...created].sort()).toEqual([false, true]);
    expect((await openRun(storage)).runId).toBe(created[0] ? first.runId : second.runId);
    expect(await createRun(storage, second)).toBe(false);
  });

  it('is missing from a directory that holds no run', async () => {
    const storage = openFileStorage(join(await temporaryFolder(), 'not made'));
    expect(await findRun(storage)).toBeUndefined();
    const refusal = await refusalOf(() => openRun(storage), 'run-missing');
    expect(refusal.message).toContain(storage.root);
  });

  it.each([
    ['is empty', ''],
    ['is cut short', '{"version": 1, "runId": "run-'],
    ['is of another version', '{"version": 2}'],
    ['is a list', '[]'],
  ])('is refused when it %s, naming the file', async (_, text) => {
    const storage = openFileStorage(await temporaryFolder());
    await writeFile(join(storage.root, RUN_FILE), text);
    const refusal = await refusalOf(() => openRun(storage), 'run-unreadable');
    expect(refusal.message).toContain(join(storage.root, RUN_FILE));
    expect(refusal.hint).toContain('another version');
  });

  it('is refused with a field missing, which the message names', async () => {
    const { storage, run } = await createSmallRun(await temporaryFolder());
    await writeFile(join(storage.root, RUN_FILE), JSON.stringify({ ...run, shardSize: undefined }));
    expect((await refusalOf(() => openRun(storage), 'run-unreadable')).message).toContain('shardSize');
  });

  it('is refused when its request no longer has its fingerprint', async () => {
    const { storage, run } = await createSmallRun(await temporaryFolder());
    const edited = RunRecord.parse({ ...run, request: { ...run.request, pool: 'max' } });
    await refusalOf(() => checkFingerprint(storage, edited), 'run-mismatch');
  });
});

describe('what is done', () => {
  it('is told by the receipts alone', async () => {
    const small = await createSmallRun(await temporaryFolder());
    expect(await missingShards(small.storage, small.run)).toEqual([0, 1, 2]);
    await publishShard(small, 2);
    await publishShard(small, 0);
    expect(await doneShards(small.storage, small.run)).toEqual([0, 2]);
    expect(await missingShards(small.storage, small.run)).toEqual([1]);
    const shards: number[] = [];
    for await (const { shard } of readReceipts(small.storage, small.run)) shards.push(shard);
    expect(shards).toEqual([0, 2]);
  });

  it('takes no other file among the receipts for one', async () => {
    const small = await createSmallRun(await temporaryFolder());
    await publishShard(small, 0);
    const folder = join(small.root, 'receipts');
    await mkdir(join(folder, 'backup'));
    const others = ['backup/000001.json', '000/1.json', '000/000003.json', '000/000001.json.bak', '000/000002.txt'];
    for (const other of others) await copyFile(join(folder, '000/000000.json'), join(folder, other));
    expect(await doneShards(small.storage, small.run)).toEqual([0]);
  });

  it('refuses a damaged receipt, naming the file and what to do', async () => {
    const small = await createSmallRun(await temporaryFolder());
    await publishShard(small, 1);
    const path = join(small.root, receiptPath(small.run, 1));
    const text = await readFile(path, 'utf8');
    for (const damaged of ['', text.slice(0, 50), text.replace('"rows"', '"lines"')]) {
      await writeFile(path, damaged);
      const refusal = await refusalOf(() => readReceipt(small.storage, small.run, 1), 'run-unreadable');
      expect(refusal.message).toContain(path);
      expect(refusal.hint).toContain(`npx layertap resume ${small.root}`);
    }
  });

  it('has no receipt for a shard that is not done', async () => {
    const small = await createSmallRun(await temporaryFolder());
    expect(await readReceipt(small.storage, small.run, 0)).toBeUndefined();
  });
});

describe('describeDifferences', () => {
  const run = runOf();

  it('is empty for the same work', () => {
    expect(describeDifferences(run, run.request, run.source)).toEqual([]);
    const again = JSON.parse(JSON.stringify(run)) as RunRecord;
    expect(describeDifferences(RunRecord.parse(again), run.request, run.source)).toEqual([]);
  });

  it.each<[string, Partial<ExtractRequest>]>([
    ['layers', { layers: ['avg_pool'] }],
    ['recipe', { recipe: { ...RECIPE, scale: 1 } }],
    ['engine', { engine: 'wasm' }],
    ['format', { format: 'both' }],
    ['modelSha256', { modelSha256: 'other' }],
  ])('names the %s with both values', (name, fields) => {
    const [line, ...more] = describeDifferences(run, { ...run.request, ...fields }, run.source);
    expect(more).toEqual([]);
    expect(line).toMatch(new RegExp(`^${name} was .+ and is now .+`));
  });

  it('names another source', () => {
    expect(describeDifferences(run, run.request, '/other')).toEqual(['source was "/photos" and is now "/other"']);
  });

  it('lets the batch change: it decides no feature', () => {
    expect(describeDifferences(run, { ...run.request, batch: 64 }, run.source)).toEqual([]);
  });
});
