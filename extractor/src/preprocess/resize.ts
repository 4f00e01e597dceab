// Resizes and crops decoded pixels to the model's input by the recipe's kernel and crop policy, for prepare-image.ts.
import type { Recipe } from '../../../shared/src/recipe.ts';
import { type Placement, placeInput, planResize } from './crop.ts';
import { cutPixels, padPixels } from './cut.ts';
import { type PillowKernel, resizePillow } from './pillow-resize.ts';
import type { FloatPixels, Pixels } from './pixels.ts';
import { resizeTf, type TfMethod } from './tf-resize.ts';

/**
 * 8-bit pixels where the kernel gives them (Pillow's, and TensorFlow's nearest), else float32 ones.
 *
 * @param placement - Where the input lies, if the pixels are smaller than the image that decides it.
 */
export function resizeToInput(
  pixels: Pixels,
  recipe: Recipe,
  placement: Placement = placeInput(pixels.width, pixels.height, recipe),
): Pixels | FloatPixels {
  const [library, kernel] = recipe.resize.split(':');
  if (library === 'pillow') {
    const { across, down, filled } = planResize(pixels.width, pixels.height, placement, recipe);
    return padPixels(resizePillow(pixels, across, down, kernel as PillowKernel), filled);
  }
  // Pillow's kernel reaches beyond the box of a crop, Keras cuts first.
  const source = cutPixels(pixels, placement.source);
  const whole = { ...placement, source: { left: 0, top: 0, width: source.width, height: source.height } };
  const { across, down, filled } = planResize(source.width, source.height, whole, recipe);
  return padPixels(resizeTf(source, across, down, kernel as TfMethod), filled);
}
