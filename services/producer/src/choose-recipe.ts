// Where a run's recipe comes from: flags over a recipe file over the model's sidecar. Never a silent default.
import { z } from 'zod';
import type { ModelFile } from '../../../extractor/src/model.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import type { ExtractOptions } from '../../../shared/src/extract-options.ts';
import { channelCount, Recipe, type RecipeOrigin } from '../../../shared/src/recipe.ts';
import { findSidecarRecipe, readRecipeFile, sidecarPathOf } from '../../../shared/src/recipe-file.ts';

export interface ChosenRecipe {
  readonly recipe: Recipe;
  readonly origin: RecipeOrigin;
}

export async function chooseRecipe(options: ExtractOptions, model: ModelFile): Promise<ChosenRecipe> {
  const file = options.recipe === undefined ? undefined : await readRecipeFile(options.recipe);
  const base = file ?? (await findSidecarRecipe(model.path));
  const flags = flagFields(options);
  const flagged = Object.keys(flags).length > 0;
  if (base === undefined && flags.scale === undefined) throw missingRecipe(model, flagged);

  const merged = Recipe.safeParse({ ...sizeOf(model), ...base, ...flags });
  if (!merged.success) {
    const problem = z.prettifyError(merged.error).replaceAll('\n', ' ');
    const sized = merged.error.issues.every(({ path }) => path[0] !== 'width' && path[0] !== 'height');
    throw new Refusal(flagged ? 'bad-option' : 'recipe-missing', `Expected a whole recipe but: ${problem}`, {
      hint:
        sized || 'width' in flags
          ? 'See the recipe options in `npx layertap extract --help`.'
          : 'Give --size WxH: the model leaves its input size open.',
    });
  }
  const recipe = merged.data;
  checkAgainstModel(recipe, model, flagged);
  return { recipe, origin: flagged ? 'flags' : file !== undefined ? 'file' : 'sidecar' };
}

function flagFields(options: ExtractOptions): Readonly<Record<string, unknown>> {
  const { size, resize, channels, scale, mean, std, exif } = options;
  return Object.fromEntries(
    Object.entries({ ...size, resize, channels, scale, mean, std, exif }).filter(([, value]) => value !== undefined),
  );
}

/** A fixed input size is the model's own word, not a guess. */
function sizeOf(model: ModelFile): { readonly width?: number; readonly height?: number } {
  const [height, width] = model.table.inputShape;
  return { ...(height == null ? {} : { height }), ...(width == null ? {} : { width }) };
}

function missingRecipe(model: ModelFile, flagged: boolean): Refusal {
  const [height, width] = model.table.inputShape;
  const size = height == null || width == null ? ' --size 224x224' : '';
  const problem = flagged
    ? 'Expected --scale among the recipe flags: whether the model wants 0-255, 0-1 or -1-1 cannot be seen from its file'
    : `Expected a recipe for '${model.path}' but there is no --recipe, no recipe flag and no ${sidecarPathOf(model.path)}`;
  return new Refusal('recipe-missing', problem, {
    hint: `Say how its training code prepared the pixels, for example${size} --scale 1/255 for pixel / 255, or${size} --scale 1/127.5 --mean 1 for pixel / 127.5 - 1.`,
  });
}

function checkAgainstModel(recipe: Recipe, model: ModelFile, flagged: boolean): void {
  const code = flagged ? 'bad-option' : 'recipe-mismatch';
  const channels = channelCount(recipe);
  const given = [recipe.height, recipe.width, channels];
  const wanted = model.table.inputShape;
  if (wanted.some((axis, index) => axis !== null && axis !== given[index])) {
    throw new Refusal(
      code,
      `Expected a recipe for input [${wanted.map(axis => axis ?? 'any').join(', ')}] (height, width, channels) but received [${given.join(', ')}]`,
      { hint: 'Change --size or --channels (gray has one channel, rgb and bgr have three).' },
    );
  }
  for (const name of ['mean', 'std'] as const) {
    const count = recipe[name].length;
    if (count !== 1 && count !== channels) {
      throw new Refusal(code, `Expected 1 or ${channels} numbers for --${name} but received ${count}`);
    }
  }
}
