// Whether a run may be worked on: its directory, with all that a worker writes and removes in it, and its models lie where this
// worker may read and write. For engine-process.ts and run-finisher.ts.
import { join } from 'node:path';
import { isModelUrl } from '../../../extractor/src/model-reference.ts';
import type { ResolveAllowed } from '../../../shared/src/allowed-roots.ts';
import { compiledOf } from '../../../shared/src/compiled-file.ts';
import { compiledPath } from '../../../shared/src/compiled-record.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import { manifestFolder } from '../../../shared/src/manifest.ts';
import { formatsOf, modelsOf } from '../../../shared/src/request.ts';
import { partsFolder, type RunRecord, shardName } from '../../../shared/src/run.ts';

/** @throws Refusal `not-allowed` */
export async function requireAllowed(allowed: ResolveAllowed, what: string, path: string): Promise<void> {
  if ((await allowed(path)) !== undefined) return;
  throw new Refusal(
    'not-allowed',
    `Expected ${what} in one of the folders that --allow-root names but received '${path}'`,
    { hint: 'Start the worker with --allow-root for its folder, if the job is yours.' },
  );
}

/** Its folders too, any of which may be a link, and those of one shard. @throws Refusal `not-allowed` */
export async function requireAllowedRun(
  allowed: ResolveAllowed,
  out: string,
  run: RunRecord,
  shard = 0,
): Promise<void> {
  const [thousand = ''] = shardName(run, shard).split('/');
  const parts = formatsOf(run.request.format).map(format => partsFolder(run, format));
  const folders = [...parts, 'parts', 'receipts', 'quarantine'].flatMap(folder => [folder, `${folder}/${thousand}`]);
  const models = compiledOf(run).map(compiledPath);
  for (const folder of [...folders, 'manifest', manifestFolder(run.runId), ...models]) {
    await requireAllowed(allowed, 'the output directory', join(out, folder));
  }
  for (const { model, modelUrl } of modelsOf(run.request)) {
    const path = modelUrl ?? model;
    if (!isModelUrl(path) && !path.startsWith('null:')) await requireAllowed(allowed, 'the model', path);
  }
}
