// The recipe that a model's publisher put beside it, in whatever format: for choose-recipe.ts. Formats stand in model-recipes/.
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hasErrorCode, Refusal } from '../../shared/src/errors.ts';
import type { RecipeInput } from '../../shared/src/recipe.ts';
import type { ModelFile } from './model.ts';
import { huggingFaceRecipe } from './model-recipes/huggingface.ts';
import { teachableMachineRecipe } from './model-recipes/teachable-machine.ts';
import { timmRecipe } from './model-recipes/timm.ts';

export interface ModelRecipeFormat {
  /** Name of the file in the model's folder. */
  readonly file: string;
  /** Who writes it, for people. */
  readonly writer: string;
  /**
   * The recipe in it; undefined for a file that only has the same name; a text that says what it asks for and a recipe
   * cannot do. Fields that it leaves open are not there.
   */
  read(json: unknown): Partial<RecipeInput> | string | undefined;
}

const FORMATS: readonly ModelRecipeFormat[] = [huggingFaceRecipe, timmRecipe, teachableMachineRecipe];

export interface ModelRecipe {
  readonly fields: Partial<RecipeInput>;
  readonly path: string;
  readonly writer: string;
}

/**
 * The first of the model's own files that says how its input is prepared.
 * @throws Refusal `recipe-mismatch` for one that asks for what a recipe cannot do: half of it would be a silent error
 */
export async function findModelRecipe(model: ModelFile): Promise<ModelRecipe | undefined> {
  if (model.format === 'null') return undefined;
  for (const folder of foldersOf(model.path)) {
    for (const format of FORMATS) {
      const path = join(folder, format.file);
      const fields = format.read(await readJson(path));
      if (fields === undefined) continue;
      if (typeof fields !== 'string') return { fields, path, writer: format.writer };
      throw new Refusal('recipe-mismatch', `Expected preprocessing that a recipe can say in '${path}' but ${fields}`, {
        hint: 'Say what comes nearest with --recipe, or in a recipe file beside the model: both win over this file.',
      });
    }
  }
  return undefined;
}

/** Exports for transformers.js keep the ONNX files in a folder `onnx` below the configuration. */
function foldersOf(path: string): readonly string[] {
  const folder = dirname(path);
  return basename(folder) === 'onnx' ? [folder, dirname(folder)] : [folder];
}

/** Names such as config.json belong to many: what is no JSON says nothing about a recipe. */
async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (hasErrorCode(cause, 'ENOENT') || hasErrorCode(cause, 'EISDIR')) return undefined;
    throw new Refusal('recipe-missing', `Expected to read '${path}', which may hold the model's recipe`, { cause });
  }
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
