// The compiled model in a run directory. For the worker, which reads it, and for those who look after the directory.
import { basename, dirname } from 'node:path';
import { COMPILED_FOLDER, type CompiledRecord, compiledPath } from './compiled-record.ts';
import { modelsOf } from './request.ts';
import type { RunRecord } from './run.ts';
import type { Storage } from './storage.ts';
import { isWorkspace, openFileStorage } from './storages/file.ts';

/** Its bytes in pieces, which may still be damaged; undefined where there is none of that size. */
export async function openCompiled(
  storage: Storage,
  record: Pick<CompiledRecord, 'sha256' | 'bytes'>,
): Promise<AsyncIterable<Uint8Array> | undefined> {
  const path = compiledPath(record);
  for (const each of [storage, ...outerRun(storage)])
    if ((await each.size(path)) === record.bytes) return each.stream(path);
  return undefined;
}

/** A retry works in a folder of its own in the run's directory. */
function outerRun({ root }: Storage): readonly Storage[] {
  return isWorkspace(basename(root)) ? [openFileStorage(dirname(root))] : [];
}

/** Of all its models. */
export function compiledOf(run: Pick<RunRecord, 'request'>): readonly CompiledRecord[] {
  return modelsOf(run.request).flatMap(({ compiled }) => compiled ?? []);
}

/** Files of compiled models that the run does not name. */
export async function* unnamedCompiled(storage: Storage, run: RunRecord): AsyncGenerator<string> {
  const named = new Set(compiledOf(run).map(compiledPath));
  for await (const path of storage.list(COMPILED_FOLDER)) if (!named.has(path)) yield path;
}
