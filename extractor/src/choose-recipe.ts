// The recipe of a run or of a call of `features`, and why it is this one. What nobody said is refused, never guessed.
import { z } from 'zod';
import { describeRecipe } from '../../shared/src/describe-recipe.ts';
import { Refusal } from '../../shared/src/errors.ts';
import { Recipe, type RecipeFields, type RecipeOrigin } from '../../shared/src/recipe.ts';
import type { CropFlag, RecipeOptions } from '../../shared/src/recipe-options.ts';
import { checkRecipe } from './check-recipe.ts';
import { findPreparation } from './input-preparation.ts';
import { missingRecipe } from './missing-recipe.ts';
import type { ModelFile } from './model.ts';
import { findOriginalRecipe, type OriginalRecipe } from './recipe-origins.ts';
import type { RecipeAsker } from './recipe-words.ts';

export interface ChosenRecipe {
  readonly recipe: Recipe;
  readonly origin: RecipeOrigin;
  /** For the user, before the run: `recipe from the sidecar model.recipe.json: 224x224 …`, then what looks doubtful. */
  readonly notes: readonly string[];
}

/** Flags that decide values: the architecture's proposal is all or nothing of these. */
const VALUE_FLAGS: readonly (keyof RecipeOptions)[] = ['channels', 'scale', 'mean', 'std'];

/**
 * Flags win field by field over the first origin that has a recipe: `--recipe`, the sidecar, the model's own files, the
 * preprocessing in its graph, the architecture with ImageNet's head.
 * @throws Refusal `recipe-missing`, `recipe-mismatch`, or `bad-option` where flags are at fault
 */
export async function chooseRecipe(
  options: RecipeOptions,
  model: ModelFile,
  asker: RecipeAsker = 'command',
): Promise<ChosenRecipe> {
  const flags = flagsOf(options);
  const names = Object.keys(flags);
  const base = baseFor(await findOriginalRecipe(model, options.recipe), names);
  if (base === undefined && flags.scale === undefined) {
    throw missingRecipe(model, { asker, isFlagged: names.length > 0 });
  }
  const reason = reasonOf(names, base);
  const recipe = mergeRecipe(flags, base, model);
  checkRecipe(recipe, model, {
    code: names.length > 0 ? 'bad-option' : 'recipe-mismatch',
    asker,
    reason,
    overGraphPreprocessing: base?.overGraphPreprocessing,
  });
  return {
    recipe,
    origin: base === undefined || names.length > 0 ? 'flags' : base.origin,
    notes: [`recipe from ${reason}: ${describeRecipe(recipe)}`, ...doubtsAbout(recipe, base, model)],
  };
}

/**
 * A recipe given as an object: whole but for the size, where the model fixes that.
 * @throws Refusal `bad-option` for wrong fields, `recipe-mismatch` where it doesn't fit the model
 */
export function completeRecipe(given: RecipeFields, model: ModelFile): Recipe {
  const parsed = Recipe.safeParse({ ...modelSize(model), ...given });
  if (!parsed.success) {
    throw new Refusal('bad-option', `Expected a recipe for \`recipe\` but: ${oneLine(parsed.error)}`, {
      hint: `Its fields are ${Object.keys(Recipe.shape).join(', ')}.`,
    });
  }
  checkRecipe(parsed.data, model, { code: 'recipe-mismatch', asker: 'function', reason: 'the option `recipe`' });
  return parsed.data;
}

interface Merged {
  readonly width?: number;
  readonly height?: number;
  readonly crop?: CropFlag | RecipeFields['crop'];
}

type Flags = Partial<Omit<RecipeOptions, 'recipe' | 'size'> & { readonly width: number; readonly height: number }>;

function flagsOf({ recipe: _, size, ...single }: RecipeOptions): Flags {
  const { resize, crop, channels, scale, mean, std, exif, alpha, quality } = single;
  const flags = { ...size, resize, crop, channels, scale, mean, std, exif, alpha, quality };
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
}

/** `--scale 1/255` over an architecture's BGR means would be a mixture that nobody trained on. */
function baseFor(base: OriginalRecipe | undefined, flags: readonly string[]): OriginalRecipe | undefined {
  const decidesValues = flags.some(name => VALUE_FLAGS.includes(name as keyof RecipeOptions));
  return base?.origin === 'architecture' && decidesValues ? undefined : base;
}

function reasonOf(flags: readonly string[], base: OriginalRecipe | undefined): string {
  const names = flags.filter(name => name !== 'height').map(name => `--${name === 'width' ? 'size' : name}`);
  if (names.length === 0) return base?.reason ?? '';
  const list = `${names.length === 1 ? 'the flag' : 'the flags'} ${names.join(', ')}`;
  return base === undefined ? list : `${list} over ${base.reason}`;
}

function mergeRecipe(flags: Flags, base: OriginalRecipe | undefined, model: ModelFile): Recipe {
  const usual = base?.usualSize === undefined ? {} : { width: base.usualSize, height: base.usualSize };
  const merged = { ...usual, ...modelSize(model), ...base?.fields, ...flags };
  const parsed = Recipe.safeParse({ ...merged, crop: wholeCrop(merged) });
  if (parsed.success) return parsed.data;
  const isFlagged = Object.keys(flags).length > 0;
  const isSized = parsed.error.issues.every(({ path }) => path[0] !== 'width' && path[0] !== 'height');
  throw new Refusal(
    isFlagged ? 'bad-option' : 'recipe-missing',
    `Expected a whole recipe but: ${oneLine(parsed.error)}`,
    {
      hint:
        isSized || 'width' in flags
          ? 'See the recipe options in `npx layertap extract --help`.'
          : 'Give --size WxH: the model leaves its input size open.',
    },
  );
}

/** `--crop center` alone: the shorter side becomes the larger side of the input. */
function wholeCrop({ crop, width = 1, height = 1 }: Merged): unknown {
  if (crop?.kind !== 'center') return crop;
  return { ...crop, shorterSide: crop.shorterSide ?? Math.max(width, height) };
}

/** A fixed input size is the model's own word, not a guess. */
function modelSize(model: ModelFile): { readonly width?: number; readonly height?: number } {
  const [height, width] = model.table.inputShape;
  return { ...(height == null ? {} : { height }), ...(width == null ? {} : { width }) };
}

function doubtsAbout(recipe: Recipe, base: OriginalRecipe | undefined, model: ModelFile): readonly string[] {
  const preparation = findPreparation(model.table);
  const [first] = preparation?.layers ?? [];
  if (base?.isInGraph === true && first === undefined && recipe.scale === 1) {
    return [
      `${base.reason} leaves scaling to the model, but no layer behind its input is seen to do so: check that it was built with include_preprocessing`,
    ];
  }
  if (first !== undefined && preparation?.takesLevels !== true && base?.origin !== 'graph') {
    return [`the model's layer '${first.layer}' goes on to prepare these values itself (${first.does})`];
  }
  return [];
}

function oneLine(error: z.ZodError): string {
  return z.prettifyError(error).replaceAll('\n', ' ');
}
