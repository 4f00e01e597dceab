// Puts the compiled models of a run into its directory, where every worker finds them. For plan.ts and the commands that go on with
// a run.
import { fetchCompiled } from '../../../extractor/src/compile/fetch-compiled.ts';
import type { ModelFile } from '../../../extractor/src/model.ts';
import { openCompiled } from '../../../shared/src/compiled-file.ts';
import { COMPILED_FOLDER, type CompiledRecord, compiledPath } from '../../../shared/src/compiled-record.ts';
import { describeError, Refusal } from '../../../shared/src/errors.ts';
import { shapeOfRecipe } from '../../../shared/src/recipe-shape.ts';
import { type ExtractRequest, modelsOf } from '../../../shared/src/request.ts';
import { sha256Of } from '../../../shared/src/sha256.ts';
import type { Storage } from '../../../shared/src/storage.ts';

/**
 * Writes those that are missing or damaged.
 * @param models the files of the request's models, in their order
 * @throws Refusal `conditions-differ` where this machine has the file no more and compiles another one; `output-unwritable`
 */
export async function publishCompiled(
  storage: Storage,
  request: ExtractRequest,
  models: readonly Pick<ModelFile, 'path' | 'sha256'>[],
  signal?: AbortSignal,
): Promise<void> {
  for (const [index, { compiled, layers, recipe }] of modelsOf(request).entries()) {
    const model = models[index];
    if (compiled === undefined || model === undefined || (await isWhole(storage, compiled))) continue;
    const options = { model: model.path, sha256: model.sha256, layers, inputShape: shapeOfRecipe(recipe), signal };
    const { content } = await fetchCompiled({ record: compiled, open: async () => undefined }, options);
    const staged = await storage.stage(COMPILED_FOLDER);
    try {
      await staged.write(content);
      await staged.publish(compiledPath(compiled));
    } finally {
      await staged.abort();
    }
  }
}

/** As publishCompiled, in a run that has begun: no worker needs the files to be there. Returns what the user should know, if so. */
export async function restoreCompiled(...given: Parameters<typeof publishCompiled>): Promise<string | undefined> {
  try {
    await publishCompiled(...given);
    return undefined;
  } catch (error) {
    if (!(error instanceof Refusal) || error.code === 'interrupted') throw error;
    return `workers compile the model themselves, since its file cannot be put into the run directory: ${describeError(error)}`;
  }
}

async function isWhole(storage: Storage, record: CompiledRecord): Promise<boolean> {
  try {
    const pieces = await openCompiled(storage, record);
    return pieces !== undefined && (await sha256Of(pieces)) === record.sha256;
  } catch {
    return false; // It cannot be read: it is put there anew, or that says why not.
  }
}
