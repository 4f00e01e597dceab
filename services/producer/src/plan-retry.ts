// Plans a retry: the failed rows of a run become a small run of their own, with the same request, in a folder beside its parts.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { failedRows } from '../../../shared/src/failed-rows.ts';
import { openManifestReader } from '../../../shared/src/manifest-reader.ts';
import { openManifestWriter } from '../../../shared/src/manifest-writer.ts';
import {
  CONDITIONS_FILE,
  createRun,
  newRunId,
  type RunRecord,
  readReceipts,
  shardRange,
} from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { openFileStorage, WORKSPACE_PREFIX } from '../../../shared/src/storages/file.ts';
import { commonVersions } from '../../../shared/src/versions.ts';

export interface PlannedRetry {
  readonly run: RunRecord;
  readonly storage: Storage;
  /** Removes the folder with all that was written into it. */
  remove(): Promise<void>;
}

/** Undefined where no row has failed; what it began is gone where the signal ends it. @param codes only rows of these; all failed rows where it is empty */
export async function planRetry(
  storage: Storage,
  run: RunRecord,
  codes: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<PlannedRetry | undefined> {
  const folder = `${WORKSPACE_PREFIX}retry-${randomBytes(4).toString('hex')}`;
  const remove = (): Promise<void> => storage.removeFolder(folder);
  const own = openFileStorage(join(storage.root, folder));
  const runId = newRunId();
  const manifest = openManifestReader(storage, run.runId);
  const writer = openManifestWriter(own, runId, run.carried);
  try {
    for await (const receipt of readReceipts(storage, run)) {
      signal?.throwIfAborted();
      const rows = new Set((await failedRows(storage, receipt, codes)).map(({ row }) => row));
      if (rows.size === 0) continue;
      const range = shardRange(run, receipt.shard);
      let row = 0;
      for await (const sample of manifest.read(range.first, range.rows)) if (rows.has(row++)) await writer.add(sample);
    }
    const summary = await writer.close();
    if (summary.rows === 0) return undefined;
    const retry: RunRecord = {
      ...run,
      runId,
      createdAt: new Date().toISOString(),
      limit: undefined,
      manifest: summary,
      shards: Math.ceil(summary.rows / run.shardSize),
      versions: { ...commonVersions() },
    };
    // Before the first worker would write down its own.
    const conditions = await storage.read(CONDITIONS_FILE);
    if (conditions !== undefined) await own.replace(CONDITIONS_FILE, conditions);
    await createRun(own, retry);
    return { run: retry, storage: own, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
