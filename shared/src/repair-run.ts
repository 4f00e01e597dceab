// Repair: finds shards whose receipt or parts are damaged and takes their receipts away, so that they count as not done.

import type { Damage } from './damage.ts';
import { describeError, Refusal } from './errors.ts';
import { type ManifestReader, openManifestReader } from './manifest-reader.ts';
import { doneShards, type RunRecord, readReceipt, receiptPath, SUMMARY_FILE } from './run.ts';
import type { Storage } from './storage.ts';
import { verifyRecord } from './verify-run.ts';
import { checkSizes, checkWhole, createFileHashes, type FileHashes } from './verify-shard.ts';

/** How closely the parts are looked at: whether they are there and their sizes; every byte; every value. */
export type RepairDepth = 'sizes' | 'bytes' | 'values';

/**
 * Takes the receipt of each damaged shard away; what it named is garbage then, or is replaced by a part of the same content.
 * The summary goes first: it must not stand beside a shard that is not done. Returns what was wrong, by shard.
 */
export async function repairRun(storage: Storage, run: RunRecord, depth: RepairDepth): Promise<readonly Damage[]> {
  if (depth !== 'sizes') await requireWholeRecord(storage, run);
  const manifest = openManifestReader(storage, run.runId);
  const hashes = createFileHashes(storage);
  const found: Damage[] = [];
  for (const shard of await doneShards(storage, run)) {
    const damages = await damagesOfShard({ storage, run, manifest, hashes, shard, depth });
    if (damages.length === 0) continue;
    if (found.length === 0) await storage.remove(SUMMARY_FILE);
    await storage.remove(receiptPath(run, shard));
    found.push(...damages);
  }
  return found;
}

interface ShardLook {
  readonly storage: Storage;
  readonly run: RunRecord;
  readonly manifest: ManifestReader;
  readonly hashes: FileHashes;
  readonly shard: number;
  readonly depth: RepairDepth;
}

/** Where the receipt was replaced in the meantime, by `retry-failed` or `compact`, the old one's parts are rightly gone: looks again. */
async function damagesOfShard(look: ShardLook): Promise<readonly Damage[]> {
  const path = receiptPath(look.run, look.shard);
  for (;;) {
    const before = await look.storage.read(path);
    const damages = await lookAtShard(look, path);
    if (damages.length === 0) return damages;
    const after = await look.storage.read(path);
    if (after === undefined) return [];
    if (before !== undefined && Buffer.compare(before, after) === 0) return damages;
  }
}

async function lookAtShard(
  { storage, run, manifest, hashes, shard, depth }: ShardLook,
  path: string,
): Promise<readonly Damage[]> {
  const damages: Damage[] = [];
  const report = (code: Damage['code'], file: string, message: string): void =>
    void damages.push({ code, shard, file, message });
  try {
    const receipt = await readReceipt(storage, run, shard);
    if (receipt === undefined) return [];
    const check = { storage, run, shard, receipt, report };
    if (depth === 'sizes') await checkSizes(check);
    else await checkWhole({ ...check, manifest, hashes, deep: depth === 'values' });
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'run-unreadable') throw error;
    report('receipt-damaged', path, describeError(error));
  }
  return damages;
}

/** Against another manifest every part looks damaged. */
async function requireWholeRecord(storage: Storage, run: RunRecord): Promise<void> {
  const [damage] = await verifyRecord(storage, run);
  if (damage === undefined) return;
  throw new Refusal('run-unreadable', `Expected the run in '${storage.root}' as it began but ${damage.message}`, {
    hint: 'Restore run.json and the manifest folder, or start the run again in an empty directory.',
  });
}
