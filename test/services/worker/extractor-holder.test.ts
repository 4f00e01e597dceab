// The extractor that an engine process holds: what it refuses to serve, so that the shard goes to another worker.
import { expect, test } from 'vitest';
import { LOWERING } from '../../../extractor/src/compile/lowering-version.ts';
import { openModel } from '../../../extractor/src/model.ts';
import { openExtractorHolder } from '../../../services/worker/src/extractor-holder.ts';
import { DEMO_MODEL } from '../../support/demo-set.ts';
import { createSmallRun, RECIPE } from '../../support/small-run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

test('a run that was begun with another lowering, or with other bytes of the model, is refused by name', async () => {
  const { path, sha256 } = await openModel(DEMO_MODEL);
  const request = { model: path, modelSha256: sha256, layers: ['features'], recipe: RECIPE, engine: 'onnx' as const };
  const holder = openExtractorHolder({ threadsOf: () => 1 });
  const { run: other, storage } = await createSmallRun(await temporaryFolder(), {
    request: { ...request, lowering: LOWERING + 1 },
  });
  await expect(holder.extractorFor(other, storage)).rejects.toMatchObject({
    code: 'engine-unavailable',
    message: `Expected a worker with version ${LOWERING + 1} of the compiler, with which the run began, but this one has ${LOWERING}`,
  });
  const { run: changed } = await createSmallRun(await temporaryFolder(), {
    request: { ...request, modelSha256: 'f'.repeat(64) },
  });
  await expect(holder.extractorFor(changed, storage)).rejects.toMatchObject({ code: 'model-mismatch' });
});
