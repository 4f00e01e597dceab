// Files of a run directory that belong to nothing: left by workers that lost a race or died, by producers that were not first,
// by commands that were killed.
import { unnamedCompiled } from './compiled-file.ts';
import { manifestFolder } from './manifest.ts';
import { doneShards, missingShards, type RunRecord, readReceipt, readReceipts } from './run.ts';
import type { Storage } from './storage.ts';
import { isTemporary, isWorkspace } from './storages/file.ts';

export interface Garbage {
  readonly kind: 'part' | 'temporary' | 'manifest' | 'compiled' | 'workspace';
  readonly path: string;
  /** Of a part whose name tells. */
  readonly shard?: number;
  /** Whoever is at work on an unfinished run may still need it: its receipt may be about to come. */
  readonly pending: boolean;
}

/** Folders of other commands are among it: a retry or a compaction at work must not be beside. */
export async function findGarbage(storage: Storage, run: RunRecord): Promise<readonly Garbage[]> {
  const garbage: Garbage[] = [...(await garbageOfRun(storage, run))];
  const pending = (await missingShards(storage, run)).length > 0;
  for (const folder of await leftWorkspaces(storage, run))
    for await (const path of storage.list(folder)) garbage.push({ kind: 'workspace', path, pending: false });
  for (const { name, isFolder } of await storage.entries())
    if (!isFolder && isTemporary(name)) garbage.push({ kind: 'temporary', path: name, pending });
  return garbage;
}

/** Folders of commands that were killed, empty ones too; not that of an `add-layer` that the run waits for. */
export async function leftWorkspaces(storage: Storage, run: RunRecord): Promise<readonly string[]> {
  const folders = (await storage.entries()).filter(({ isFolder }) => isFolder).map(({ name }) => name);
  return folders.filter(folder => isWorkspace(folder) && folder !== run.adding?.folder);
}

/** Removes what is garbage of parts, receipts, quarantine and manifests, in a run of which every shard is done. Returns the paths. */
export async function removeGarbage(storage: Storage, run: RunRecord): Promise<readonly string[]> {
  const garbage = await garbageOfRun(storage, run);
  const removed: string[] = [];
  for (const entry of garbage) if (await removeOne(storage, run, entry)) removed.push(entry.path);
  return removed;
}

/** False where a receipt names the file by now: another command published it in the meantime. */
export async function removeOne(storage: Storage, run: RunRecord, { path, shard }: Garbage): Promise<boolean> {
  if (shard !== undefined) {
    const receipt = await readReceipt(storage, run, shard);
    if (receipt?.files.some(file => file.path === path) === true) return false;
  }
  await storage.remove(path);
  return true;
}

async function garbageOfRun(storage: Storage, run: RunRecord): Promise<readonly Garbage[]> {
  const done = new Set(await doneShards(storage, run));
  const finished = done.size === run.shards;
  const named = new Set<string>();
  for await (const receipt of readReceipts(storage, run)) for (const file of receipt.files) named.add(file.path);
  const garbage: Garbage[] = [];
  for await (const path of storage.list('parts')) {
    if (named.has(path)) continue;
    const shard = shardOfPart(run, path);
    if (isTemporary(path)) garbage.push({ kind: 'temporary', path, pending: !finished });
    else if (shard === undefined) garbage.push({ kind: 'part', path, pending: !finished });
    else garbage.push({ kind: 'part', path, shard, pending: !done.has(shard) });
  }
  for (const folder of ['receipts', 'quarantine'])
    for await (const path of storage.list(folder))
      if (isTemporary(path)) garbage.push({ kind: 'temporary', path, pending: !finished });
  for await (const path of unnamedCompiled(storage, run))
    garbage.push({ kind: isTemporary(path) ? 'temporary' : 'compiled', path, pending: !finished });
  for await (const path of storage.list('manifest')) {
    if (!path.startsWith(`${manifestFolder(run.runId)}/`)) garbage.push({ kind: 'manifest', path, pending: false });
    // The manifest was whole before run.json named it.
    else if (isTemporary(path)) garbage.push({ kind: 'temporary', path, pending: false });
  }
  return garbage;
}

function shardOfPart(run: RunRecord, path: string): number | undefined {
  const digits = /\/(\d+)(?:-\d+)?-[0-9a-f]{8}\.\w+$/.exec(path)?.[1];
  return digits === undefined || Number(digits) >= run.shards ? undefined : Number(digits);
}
