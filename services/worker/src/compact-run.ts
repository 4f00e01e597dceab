// Few large files out of many small ones: neighbouring shards share a file, of which each receipt names its rows.
// The file first, then the receipts, one by one, then the old files: at any moment each receipt names whole rows.

import { readPartFile } from '../../../shared/src/part-reader.ts';
import type { ShardReceipt } from '../../../shared/src/receipt.ts';
import { rowSchema } from '../../../shared/src/row-schema.ts';
import { type RunRecord, readReceipts, SUMMARY_FILE } from '../../../shared/src/run.ts';
import { createSharedFiles } from '../../../shared/src/shared-files.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { createFileHashes, type FileHashes, requireUndamaged } from '../../../shared/src/verify-shard.ts';
import { allVersions } from '../../../shared/src/versions.ts';
import { mergeRows } from './merge-rows.ts';
import { openPart, removeReplaced, replaceReceipts } from './publish.ts';

export interface CompactOptions {
  /** A file grows up to this; one of at least half of it stays as it is. */
  readonly fileBytes: number;
}

/** The receipts of a group are all staged before the first takes its name: this many files are open at most. */
const GROUP_SHARDS = 256;

/** Returns the number of shards whose rows were moved to another file. */
export async function compactRun(storage: Storage, run: RunRecord, { fileBytes }: CompactOptions): Promise<number> {
  const hashes = createFileHashes(storage);
  let moved = 0;
  let group: Unit[] = [];

  async function endGroup(): Promise<void> {
    const receipts = group.flatMap(unit => unit.receipts);
    // One whole file, of one shard or of several, is as compact as it can be.
    const stands = group.length === 1 && group[0]?.whole === true;
    group = [];
    if (stands || receipts.length === 0) return;
    await moveRows(storage, run, receipts, hashes);
    moved += receipts.length;
  }

  for await (const unit of unitsOf(storage, run)) {
    const before = group.at(-1)?.receipts.at(-1)?.shard;
    const bytes = group.reduce((sum, each) => sum + each.bytes, unit.bytes);
    const shards = group.reduce((sum, each) => sum + each.receipts.length, unit.receipts.length);
    const isNeighbour = before === undefined || before + 1 === unit.receipts[0]?.shard;
    const isLarge = unit.whole && unit.bytes >= fileBytes / 2;
    if (!isNeighbour || isLarge || bytes > fileBytes || shards > GROUP_SHARDS) await endGroup();
    group.push(unit);
    if (isLarge) await endGroup();
  }
  await endGroup();
  await removeUnnamed(storage, run);
  return moved;
}

/** Gives each shard a part of its own where it shares a file with rows that no receipt names. Returns the number of shards. */
export async function settleSharedFiles(storage: Storage, run: RunRecord): Promise<number> {
  const shared = createSharedFiles();
  for await (const receipt of readReceipts(storage, run)) shared.add(receipt);
  const shards = new Set(shared.incomplete().flatMap(file => file.shards));
  if (shards.size === 0) return 0;
  const hashes = createFileHashes(storage);
  for await (const receipt of readReceipts(storage, run))
    if (shards.has(receipt.shard)) await moveRows(storage, run, [receipt], hashes);
  for (const { path } of shared.incomplete()) await storage.remove(path);
  return shards.size;
}

/** What is moved as one: the shards of one file. */
interface Unit {
  readonly receipts: readonly ShardReceipt[];
  readonly bytes: number;
  /** Whether receipts name all rows of the file. */
  readonly whole: boolean;
}

async function* unitsOf(storage: Storage, run: RunRecord): AsyncGenerator<Unit> {
  let together: ShardReceipt[] = [];
  for await (const receipt of readReceipts(storage, run)) {
    const [file] = receipt.files;
    if (together[0]?.files[0]?.path !== file?.path) {
      yield* unitsOfFile(together);
      together = [];
    }
    together.push(receipt);
  }
  yield* unitsOfFile(together);
}

function* unitsOfFile(receipts: readonly ShardReceipt[]): Generator<Unit> {
  const [file] = receipts[0]?.files ?? [];
  if (file === undefined) return;
  const { bytes, range } = file;
  const rows = receipts.reduce((sum, receipt) => sum + receipt.rows, 0);
  if (range === undefined || rows === range.of) yield { receipts, bytes, whole: true };
  else
    for (const receipt of receipts)
      yield { receipts: [receipt], bytes: (bytes * receipt.rows) / range.of, whole: false };
}

/** Into one file, in their order; a part of its own where there is one shard. */
async function moveRows(
  storage: Storage,
  run: RunRecord,
  receipts: readonly ShardReceipt[],
  hashes: FileHashes,
): Promise<void> {
  const [first, last] = [receipts[0], receipts.at(-1)];
  if (first === undefined || last === undefined) return;
  const schema = rowSchema(run, allVersions(receipts));
  const part = await openPart(storage, run, { first: first.shard, last: last.shard }, schema);
  try {
    for (const receipt of receipts) {
      const [file] = receipt.files;
      if (file === undefined) throw new Error(`Expected a part in the receipt of shard ${receipt.shard}`);
      await requireUndamaged(storage, file, hashes);
      let rows = 0;
      for await (const batch of readPartFile(storage.root, file)) {
        await part.write(mergeRows(schema, batch, new Map()));
        rows += batch.numRows;
      }
      if (rows !== receipt.rows) throw new Error(`Expected ${receipt.rows} rows in ${file.path} but it has ${rows}`);
    }
    const files = await part.finish();
    const of = receipts.reduce((sum, receipt) => sum + receipt.rows, 0);
    let at = 0;
    const replaced = receipts.map((receipt): ShardReceipt => {
      const range = receipts.length === 1 ? {} : { range: { first: at, of } };
      at += receipt.rows;
      return { ...receipt, files: files.map(file => ({ ...file, rows: receipt.rows, ...range })) };
    });
    // Each time: a worker that finished the run meanwhile has written it.
    await storage.remove(SUMMARY_FILE);
    await replaceReceipts(storage, run, replaced, part);
    await removeReplaced(
      storage,
      receipts.flatMap(receipt => receipt.files),
      files,
    );
  } finally {
    await part.abort();
  }
}

/** Shared files of which the last row was moved, by this compaction or one that was interrupted. */
async function removeUnnamed(storage: Storage, run: RunRecord): Promise<void> {
  const named = new Set<string>();
  for await (const receipt of readReceipts(storage, run)) for (const { path } of receipt.files) named.add(path);
  for await (const path of storage.list('parts'))
    if (SHARED_NAME.test(path) && !named.has(path)) await storage.remove(path);
}

/** Workers give parts names of one shard: what has that of several is a compaction's. */
const SHARED_NAME = /\/\d+-\d+-[0-9a-f]{8}\.\w+$/;
