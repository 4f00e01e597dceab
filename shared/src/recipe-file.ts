// Recipe files: MODEL.recipe.json beside a model, or any JSON file that the user names.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { hasErrorCode, Refusal } from './errors.ts';
import { Recipe } from './recipe.ts';

/** A recipe as a file holds it. */
export const RecipeFile = Recipe.extend({
  overGraphPreprocessing: z
    .literal(true)
    .optional()
    .describe(
      'Prepare the input though the graph does so too: for a graph whose own preparation is meant to be the second',
    ),
});
export type RecipeFile = z.output<typeof RecipeFile>;

/** The sidecar of a model file: `model.json` has `model.recipe.json`, `net.onnx` has `net.recipe.json`. */
export function sidecarPathOf(modelPath: string): string {
  return `${modelPath.replace(/\.[^./\\]+$/, '')}.recipe.json`;
}

/** The recipe beside a model file, or undefined when there is none. */
export async function findSidecarRecipe(modelPath: string): Promise<RecipeFile | undefined> {
  const path = sidecarPathOf(modelPath);
  try {
    return await readRecipeFile(path);
  } catch (error) {
    if (error instanceof Refusal && hasErrorCode(error.cause, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Reads a recipe; refuses with the fields that are wrong. */
export async function readRecipeFile(path: string): Promise<RecipeFile> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new Refusal('recipe-missing', `Expected a recipe file at '${path}' but it cannot be read`, {
      cause: error,
      hint: 'Give the path of a JSON file with width, height, resize, channels, scale, mean and std.',
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Refusal('recipe-missing', `Expected JSON in the recipe file '${path}'`, { cause: error });
  }
  const parsed = RecipeFile.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new Refusal(
    'recipe-missing',
    `Expected a recipe in '${path}' but: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`,
    {
      hint: `Its fields are ${Object.keys(Recipe.shape).join(', ')}.`,
    },
  );
}
