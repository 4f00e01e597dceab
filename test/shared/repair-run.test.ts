// Repair takes away the receipts of damaged shards, and only those, in an order in which no finished run seems to stand.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { finishRun } from '../../shared/src/finish-run.ts';
import { repairRun } from '../../shared/src/repair-run.ts';
import { encodeJson, missingShards, readReceipt, receiptPath, SUMMARY_FILE } from '../../shared/src/run.ts';
import type { Storage } from '../../shared/src/storage.ts';
import { refusalOf } from '../support/refusal.ts';
import { createSmallRun, publishPart, publishShards, receiptOf, type SmallRun } from '../support/small-run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function doneRun(): Promise<SmallRun> {
  const small = await createSmallRun(await temporaryFolder(), { rows: 12 });
  await publishShards(small);
  await finishRun(small.storage, small.run);
  return small;
}

async function partOf(small: SmallRun, shard: number): Promise<string> {
  return (await readReceipt(small.storage, small.run, shard))?.files[0]?.path ?? 'none';
}

describe('repairRun', () => {
  it('leaves a whole run as it is, summary included', async () => {
    const small = await doneRun();
    for (const depth of ['sizes', 'bytes', 'values'] as const)
      expect(await repairRun(small.storage, small.run, depth)).toEqual([]);
    expect(await small.storage.size(SUMMARY_FILE)).toBeGreaterThan(0);
    expect(await missingShards(small.storage, small.run)).toEqual([]);
  });

  it('takes the summary away before the first receipt', async () => {
    const small = await doneRun();
    await rm(join(small.root, await partOf(small, 0)));
    await writeFile(join(small.root, receiptPath(small.run, 2)), '[]');
    const removed: string[] = [];
    const storage: Storage = {
      ...small.storage,
      remove(path): Promise<void> {
        removed.push(path);
        return small.storage.remove(path);
      },
    };
    const damages = await repairRun(storage, small.run, 'sizes');
    expect(damages.map(({ code, shard }) => [code, shard])).toEqual([
      ['part-missing', 0],
      ['receipt-damaged', 2],
    ]);
    expect(removed).toEqual([SUMMARY_FILE, receiptPath(small.run, 0), receiptPath(small.run, 2)]);
    expect(await missingShards(small.storage, small.run)).toEqual([0, 2]);
  });

  it('looks again where a receipt is replaced while its old part is looked for', async () => {
    const small = await doneRun();
    const old = await partOf(small, 1);
    const storage: Storage = {
      ...small.storage,
      async size(path): Promise<number | undefined> {
        if (path === old) {
          const files = await publishPart(small, 1, 0.5);
          await small.storage.replace(receiptPath(small.run, 1), encodeJson(receiptOf(small, 1, files)));
          await small.storage.remove(old);
        }
        return small.storage.size(path);
      },
    };
    expect(await repairRun(storage, small.run, 'sizes')).toEqual([]);
    expect(await missingShards(small.storage, small.run)).toEqual([]);
  });

  it('judges no part by a record that was changed', async () => {
    const small = await doneRun();
    const run = { ...small.run, manifest: { ...small.run.manifest, digest: '00' } };
    const before = await readFile(join(small.root, receiptPath(run, 0)));
    await refusalOf(() => repairRun(small.storage, run, 'bytes'), 'run-unreadable');
    expect(await readFile(join(small.root, receiptPath(run, 0)))).toEqual(before);
  });
});
