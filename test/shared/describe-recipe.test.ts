// A recipe in one line, as it is shown before a run.
import { describe, expect, it } from 'vitest';
import { describeRecipe } from '../../shared/src/describe-recipe.ts';
import { Recipe, type RecipeInput } from '../../shared/src/recipe.ts';

const describeInput = (fields: Partial<RecipeInput>): string =>
  describeRecipe(Recipe.parse({ width: 224, height: 224, scale: 1, ...fields }));

describe('describeRecipe', () => {
  it.each<readonly [Partial<RecipeInput>, string]>([
    [{}, '224x224 pillow:bilinear, rgb, x'],
    [{ scale: 1 / 255 }, '224x224 pillow:bilinear, rgb, x/255'],
    [{ scale: 0.00784313725490196, mean: 1 }, '224x224 pillow:bilinear, rgb, x/127.5 - 1'],
    [{ scale: 0.0039 }, '224x224 pillow:bilinear, rgb, x*0.0039'],
    [{ scale: 1 / 127, mean: -0.5, channels: 'gray' }, '224x224 pillow:bilinear, gray, x/127 + 0.5'],
    [
      { scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
      '224x224 pillow:bilinear, rgb, (x/255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]',
    ],
    [{ std: 2, channels: 'bgr' }, '224x224 pillow:bilinear, bgr, x / 2'],
    [
      { width: 320, crop: { kind: 'center', shorterSide: 342 }, resize: 'pillow:bicubic' },
      'shorter side 342 pillow:bicubic, middle 320x224, rgb, x',
    ],
    [{ crop: { kind: 'aspect' }, resize: 'tf:area' }, '224x224 tf:area of the largest middle part, rgb, x'],
    [
      { exif: 'apply', alpha: 'white', quality: 'fast' },
      '224x224 pillow:bilinear, rgb, x, EXIF orientation applied, transparency over white, fast quality',
    ],
  ])('says %j as %s', (fields, line) => {
    expect(describeInput(fields)).toBe(line);
  });
});
