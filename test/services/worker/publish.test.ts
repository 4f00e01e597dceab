// Publishing without locks: two workers on one shard, in every order of their steps, leave one receipt and its parts.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compactRun } from '../../../services/worker/src/compact-run.ts';
import { openPart, type PartWriter, publishReceipt } from '../../../services/worker/src/publish.ts';
import { encodeRows } from '../../../services/worker/src/serialize.ts';
import { removeGarbage } from '../../../shared/src/garbage.ts';
import type { PartFile } from '../../../shared/src/receipt.ts';
import { rowSchema } from '../../../shared/src/row-schema.ts';
import { readReceipt } from '../../../shared/src/run.ts';
import type { StagedFile, Storage } from '../../../shared/src/storage.ts';
import { verifyRun } from '../../../shared/src/verify-run.ts';
import { rowDigests } from '../../support/read-rows.ts';
import { refusalOf } from '../../support/refusal.ts';
import {
  createSmallRun,
  featuresOf,
  pathsIn,
  publishPart,
  publishShard,
  publishShards,
  receiptOf,
  rowsOf,
  type SmallRun,
} from '../../support/small-run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** Shards of 4 rows. */
async function smallRun(format: 'parquet' | 'both' = 'both', shards = 1): Promise<SmallRun> {
  return createSmallRun(await temporaryFolder(), { rows: 4 * shards, format, failedRows: [2] });
}

interface WorkerOptions {
  readonly small: SmallRun;
  readonly shard: number;
  readonly name: string;
  /** Added to every value: makes the content the worker's own. */
  readonly shift: number;
}

/** The steps of one worker, to be taken one at a time. */
function workerOf({ small, shard, name, shift }: WorkerOptions): readonly (() => Promise<unknown>)[] {
  const { run, storage } = small;
  const schema = rowSchema(run);
  let part: PartWriter | undefined;
  let files: readonly PartFile[] = [];
  return [
    async () => {
      part = await openPart(storage, run, shard, schema);
      const rows = rowsOf(small, 4 * shard, 4);
      await part.write(encodeRows(schema, run.columns, rows, featuresOf(run, 4 * shard, 4, shift)));
      files = await part.finish();
    },
    async () => part?.publish(),
    async () => publishReceipt(storage, run, receiptOf(small, shard, files, name), part),
    async () => part?.abort(),
  ];
}

/** All ways to interleave two lists of `length` steps: each a list of whose turn it is. */
function interleavings(length: number): readonly (readonly (0 | 1)[])[] {
  const grow = (turns: readonly (0 | 1)[]): readonly (readonly (0 | 1)[])[] => {
    const second = turns.filter(turn => turn === 1).length;
    const first = turns.length - second;
    if (turns.length === 2 * length) return [turns];
    return [...(first < length ? grow([...turns, 0]) : []), ...(second < length ? grow([...turns, 1]) : [])];
  };
  return grow([]);
}

describe('a part', () => {
  it('is named by its shard and its content, and its receipt knows size and hash', async () => {
    const small = await smallRun();
    const files = await publishPart(small, 0);
    expect(files.map(({ format }) => format)).toEqual(['parquet', 'arrow']);
    for (const { path, sha256, bytes, rows } of files) {
      const content = await readFile(join(small.root, path));
      expect(sha256).toBe(createHash('sha256').update(content).digest('hex'));
      expect(path).toMatch(new RegExp(`^parts/(parquet|arrow)/000/000000-${sha256.slice(0, 8)}\\.\\1$`));
      expect([bytes, rows]).toEqual([content.length, 4]);
    }
  });

  it('leaves nothing when it is given up', async () => {
    const small = await smallRun();
    const [stage, , , abort] = workerOf({ small, shard: 0, name: 'a', shift: 0 });
    await stage?.();
    expect((await pathsIn(small.storage, 'parts')).length).toBe(2);
    await abort?.();
    expect(await pathsIn(small.storage, 'parts')).toEqual([]);
  });

  it('leaves nothing when its second file cannot be opened', async () => {
    const small = await smallRun();
    let staged = 0;
    const storage: SmallRun['storage'] = {
      ...small.storage,
      stage: directory =>
        staged++ === 0 ? small.storage.stage(directory) : Promise.reject(new Error('no more files')),
    };
    await expect(openPart(storage, small.run, 0, rowSchema(small.run))).rejects.toThrow('no more files');
    expect(await pathsIn(small.storage, 'parts')).toEqual([]);
  });
});

describe('a receipt that finds no room', () => {
  it('leaves its part without a name, and nothing of either once it is given up', async () => {
    const small = await smallRun('parquet');
    const storage: SmallRun['storage'] = {
      ...small.storage,
      async stage(directory) {
        const staged = await small.storage.stage(directory);
        if (!directory.startsWith('receipts/')) return staged;
        return { ...staged, flush: () => Promise.reject(new Error('the disk is full')) };
      },
    };
    const worker = workerOf({ small: { ...small, storage }, shard: 0, name: 'a', shift: 0 });
    const [stage, , publish, abort] = worker;
    await stage?.();
    await expect(publish?.()).rejects.toThrow('the disk is full');
    expect((await pathsIn(small.storage, 'parts')).filter(path => path.endsWith('.parquet'))).toEqual([]);
    await abort?.();
    expect([...(await pathsIn(small.storage, 'parts')), ...(await pathsIn(small.storage, 'receipts'))]).toEqual([]);
  });
});

describe('receipts that take the place of others', () => {
  /** A storage in which `collect` runs once a part has its name, and again after each receipt. */
  function beside(storage: Storage, collect: (path: string) => Promise<unknown>): Storage {
    return {
      ...storage,
      async stage(directory): Promise<StagedFile> {
        const staged = await storage.stage(directory);
        return {
          ...staged,
          async publish(path): Promise<void> {
            await staged.publish(path);
            await collect(path);
          },
        };
      },
    };
  }

  it.each(['parquet', 'both'] as const)('are put back where their %s part is collected as garbage', async format => {
    const small = await smallRun(format, 3);
    await publishShards(small);
    const { storage, run } = small;
    const before = await pathsIn(storage, '.');
    const digests = await rowDigests(small.root);
    const taking = beside(storage, async path => {
      if (path.startsWith('parts/')) await storage.remove(path);
    });
    const { message, hint } = await refusalOf(() => compactRun(taking, run, { fileBytes: 1e9 }), 'run-incomplete');
    expect([message, hint]).toEqual([expect.stringContaining('000000-000002-'), expect.stringContaining('again')]);
    expect(await pathsIn(storage, '.')).toEqual(before);
    expect(await rowDigests(small.root)).toEqual(digests);
    expect((await verifyRun(storage, run)).damages).toEqual([]);
  });

  it('lose no row where all garbage is collected between any two of their steps', async () => {
    for (let step = 1; step <= 4; step++) {
      const small = await smallRun('parquet', 3);
      await publishShards(small);
      const { storage, run } = small;
      const digests = await rowDigests(small.root);
      let steps = 0;
      const collecting = beside(storage, async () => {
        if (++steps === step) await removeGarbage(storage, run);
      });
      await compactRun(collecting, run, { fileBytes: 1e9 }).catch(() => undefined);
      expect(await rowDigests(small.root)).toEqual(digests);
    }
  });
});

describe('two workers on one shard', () => {
  const orders = interleavings(4);

  it.each([
    ['different', [0, 0.5]],
    ['equal', [0, 0]],
  ] as const)('of %s content leave one receipt with whole parts, in every order of their steps', async (_, shifts) => {
    expect(orders).toHaveLength(70);
    const small = await smallRun('parquet', orders.length);
    const winners = new Set<string>();
    const parts: string[] = [];
    for (const [shard, order] of orders.entries()) {
      const workers = [
        workerOf({ small, shard, name: 'a', shift: shifts[0] }),
        workerOf({ small, shard, name: 'b', shift: shifts[1] }),
      ];
      const next = [0, 0];
      const receipts: unknown[] = [];
      for (const turn of order) {
        const step = next[turn] ?? 0;
        const result = await workers[turn]?.[step]?.();
        if (step === 2) receipts.push(result);
        next[turn] = step + 1;
      }
      const standing = await readReceipt(small.storage, small.run, shard);
      expect(receipts).toEqual([standing, standing]);
      parts.push(...(standing?.files ?? []).map(({ path }) => path));
      winners.add(standing?.worker.name ?? '');
    }
    expect(await pathsIn(small.storage, 'parts')).toEqual(parts.sort());
    expect((await verifyRun(small.storage, small.run)).damages).toEqual([]);
    expect([...winners].sort()).toEqual(['a', 'b']);
  });

  it('at the same moment leave one receipt with whole parts', async () => {
    const small = await smallRun();
    const receipts = await Promise.all(
      Array.from({ length: 8 }, (_, worker) => publishShard(small, 0, String(worker), worker % 4)),
    );
    for (const receipt of receipts) expect(receipt).toEqual(receipts[0]);
    const { files } = receipts[0] ?? { files: [] };
    expect(await pathsIn(small.storage, 'parts')).toEqual(files.map(({ path }) => path).sort());
    expect(await pathsIn(small.storage, 'receipts')).toHaveLength(1);
    expect((await verifyRun(small.storage, small.run)).damages).toEqual([]);
  });

  it('with one that died before its receipt leave that one’s part as garbage alone', async () => {
    const small = await smallRun('parquet');
    const dead = await publishPart(small, 0, 1);
    const receipt = await publishShard(small, 0);
    expect(await pathsIn(small.storage, 'parts')).toEqual([...dead, ...receipt.files].map(({ path }) => path).sort());
    expect(await readReceipt(small.storage, small.run, 0)).toEqual(receipt);
  });
});
