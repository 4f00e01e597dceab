// How a command that changes a run begins: the run as it stands, unaltered, with an `add-layer` ended that was killed.
import { resolve } from 'node:path';
import { endAdding } from '../../services/worker/src/add-columns.ts';
import { checkFingerprint, openRun, type RunRecord } from '../../shared/src/run.ts';
import type { Storage } from '../../shared/src/storage.ts';
import { openFileStorage } from '../../shared/src/storages/file.ts';
import { onlyPositional } from './positional.ts';

export interface StandingRun {
  readonly storage: Storage;
  readonly run: RunRecord;
}

/** @param command its name, for the message where OUT is missing */
export async function openStandingRun(command: string, positionals: readonly string[]): Promise<StandingRun> {
  const storage = openFileStorage(resolve(onlyPositional(command, 'OUT', positionals)));
  const run = await openRun(storage);
  checkFingerprint(storage, run);
  return { storage, run: await endAdding(storage, run) };
}
