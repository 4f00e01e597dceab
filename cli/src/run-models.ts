// The models of a run that is gone on with: that they are those it began with, and that their engine is here.
import { type ModelFile, openModel } from '../../extractor/src/model.ts';
import { resolveModel } from '../../extractor/src/model-download.ts';
import { Refusal } from '../../shared/src/errors.ts';
import { createLogger } from '../../shared/src/logger.ts';
import { type ModelRequest, modelsOf } from '../../shared/src/request.ts';
import type { RunRecord } from '../../shared/src/run.ts';
import { readyTensorFlow } from './ready-tensorflow.ts';

/** In their order. @throws Refusal `model-mismatch` */
export async function checkModels(run: RunRecord): Promise<readonly ModelFile[]> {
  const files: ModelFile[] = [];
  for (const model of modelsOf(run.request)) files.push(await checkModel(model));
  return files;
}

/** @throws Refusal `engine-unavailable` before any work where the run needs TensorFlow, which is not here */
export async function prepareEngines(
  run: RunRecord,
  { prepare, json }: { readonly prepare: boolean; readonly json: boolean },
): Promise<void> {
  if (!modelsOf(run.request).some(({ engine }) => engine === 'tensorflow')) return;
  const status = await readyTensorFlow({ prepare, logger: createLogger({ json }) });
  if (status.available) return;
  throw new Refusal(
    'engine-unavailable',
    `Expected the engine \`tensorflow\`, which the run began with, but it cannot be had: ${status.reason}`,
    { hint: 'Run `npx layertap setup`, or repeat this command with `--prepare`, which does the same first.' },
  );
}

/** Other bytes under the old name would give other numbers in the rows that are left. */
async function checkModel({ model: path, modelUrl, modelSha256 }: ModelRequest): Promise<ModelFile> {
  const model = await openModel(await resolveModel(modelUrl ?? path));
  if (model.sha256 === modelSha256) return model;
  throw new Refusal(
    'model-mismatch',
    `Expected '${path}' to have sha256 ${modelSha256.slice(0, 12)}… as when the run began but it has ${model.sha256.slice(0, 12)}…`,
    {
      hint: 'Put the old model back, or extract into another directory.',
    },
  );
}
