// Whether a recipe fits a model: its input, and what the graph does to its input by itself. For choose-recipe.ts.
import { describeValues } from '../../shared/src/describe-recipe.ts';
import { Refusal } from '../../shared/src/errors.ts';
import type { Recipe } from '../../shared/src/recipe.ts';
import { channelCount, shapeOfRecipe } from '../../shared/src/recipe-shape.ts';
import { findPreparation } from './input-preparation.ts';
import type { ModelFile } from './model.ts';
import { type RecipeAsker, sayFields } from './recipe-words.ts';

export interface CheckOptions {
  /** `bad-option` where the user's own flags are at fault. */
  readonly code: 'bad-option' | 'recipe-mismatch';
  readonly asker: RecipeAsker;
  /** Where the recipe comes from, completes `the recipe from …`. */
  readonly reason: string;
  readonly overGraphPreprocessing?: boolean | undefined;
}

/** A recipe that doesn't fit is refused: `recipe-mismatch`, or `bad-option` for flags. */
export function checkRecipe(recipe: Recipe, model: ModelFile, options: CheckOptions): void {
  checkShape(recipe, model, options);
  checkChannels(recipe, options);
  checkCrop(recipe, options);
  if (options.overGraphPreprocessing !== true) checkGraph(recipe, model, options);
}

function checkShape(recipe: Recipe, model: ModelFile, { code, reason }: CheckOptions): void {
  const given = shapeOfRecipe(recipe);
  const wanted = model.table.inputShape;
  if (wanted.every((axis, index) => axis === null || axis === given[index])) return;
  throw new Refusal(
    code,
    `Expected a recipe for input [${wanted.map(axis => axis ?? 'any').join(', ')}] (height, width, channels) but received [${given.join(', ')}] from ${reason}`,
    { hint: 'Change --size (and --crop) or --channels (gray has one channel, rgb and bgr have three).' },
  );
}

function checkChannels(recipe: Recipe, { code }: CheckOptions): void {
  const channels = channelCount(recipe);
  for (const name of ['mean', 'std'] as const) {
    const count = recipe[name].length;
    if (count === 1 || count === channels) continue;
    throw new Refusal(code, `Expected 1 or ${channels} numbers for --${name} but received ${count}`);
  }
}

/** A shorter side below the larger side of the input would leave a border to invent. */
function checkCrop({ crop, width, height }: Recipe, { code }: CheckOptions): void {
  if (crop.kind !== 'center' || crop.shorterSide >= Math.max(width, height)) return;
  throw new Refusal(
    code,
    `Expected a crop that leaves ${width}x${height} pixels of every image but its shorter side becomes ${crop.shorterSide}`,
    { hint: `Give --crop center:N with N of at least ${Math.max(width, height)}.` },
  );
}

function checkGraph(recipe: Recipe, model: ModelFile, { code, asker, reason }: CheckOptions): void {
  const preparation = findPreparation(model.table);
  const [first] = preparation?.layers ?? [];
  if (preparation === undefined || first === undefined) return;
  const isScaled = recipe.scale !== 1;
  const isNormalized = recipe.mean.some(value => value !== 0) || recipe.std.some(value => value !== 1);
  // A Normalization that was adapted to 0-1 values wants them scaled before it.
  const isTwice =
    preparation.takesLevels === true ? isScaled || isNormalized : preparation.isNormalizing && isNormalized;
  if (!isTwice) return;
  const neutral = {
    ...(preparation.takesLevels === true && { scale: '1' }),
    ...(isNormalized && { mean: '0', std: '1' }),
  };
  throw new Refusal(
    code,
    `Expected the values as the model's layer '${first.layer}' wants them, which prepares them itself (${first.does}), but received ${describeValues(recipe)} from ${reason}: they would be prepared twice`,
    {
      hint: `Give ${sayFields(asker, neutral)}. If twice is meant, a recipe file with "overGraphPreprocessing": true does it.`,
    },
  );
}
