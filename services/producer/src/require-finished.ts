// What changes a run as a whole begins with one that is done: no worker publishes into it meanwhile.
import { Refusal } from '../../../shared/src/errors.ts';
import { missingShards, type RunRecord } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';

/** @throws Refusal `run-incomplete` */
export async function requireFinished(storage: Storage, run: RunRecord): Promise<void> {
  const left = (await missingShards(storage, run)).length;
  if (left === 0) return;
  throw new Refusal('run-incomplete', `Expected a finished run but ${left} of ${run.shards} shards are not done`, {
    hint: `First: npx layertap resume ${storage.root}`,
  });
}
