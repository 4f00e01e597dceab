// The shape of what a recipe gives; apart from its schema, which a decoding thread need not load.
import type { Recipe } from './recipe.ts';

/** Number of channels that the recipe produces. */
export function channelCount(recipe: Recipe): 1 | 3 {
  return recipe.channels === 'gray' ? 1 : 3;
}

/** Whether its resize ends with levels of 8 bits, of which a table makes the values: Pillow's kernels, and any nearest. */
export function givesLevels({ resize }: Recipe): boolean {
  return resize.startsWith('pillow:') || resize === 'tf:nearest';
}

/** Of one sample as the model takes it: [height, width, channels]. */
export function shapeOfRecipe(recipe: Recipe): readonly [height: number, width: number, channels: number] {
  return [recipe.height, recipe.width, channelCount(recipe)];
}
