// A recipe in one line, for people: what is shown before a run.
import type { Recipe } from './recipe.ts';

/** Such as `224x224 pillow:bilinear, rgb, x/255`; what stands at its default and changes nothing is left out. */
export function describeRecipe(recipe: Recipe): string {
  const { channels, exif, alpha, quality } = recipe;
  return [
    describeSize(recipe),
    channels,
    describeValues(recipe),
    ...(exif === 'apply' ? ['EXIF orientation applied'] : []),
    ...(alpha === 'drop' ? [] : [`transparency over ${alpha}`]),
    ...(quality === 'exact' ? [] : [`${quality} quality`]),
  ].join(', ');
}

/** The arithmetic alone, such as `x/127.5 - 1`. */
export function describeValues({ scale, mean, std }: Pick<Recipe, 'scale' | 'mean' | 'std'>): string {
  const scaled = scaledPixel(scale);
  const isShifted = mean.some(value => value !== 0);
  const shifted = !isShifted
    ? scaled
    : isNegative(mean)
      ? `${scaled} + ${-(mean[0] ?? 0)}`
      : `${scaled} - ${list(mean)}`;
  if (std.every(value => value === 1)) return shifted;
  return `${isShifted ? `(${shifted})` : shifted} / ${list(std)}`;
}

function describeSize({ width, height, resize, crop }: Recipe): string {
  const size = `${width}x${height}`;
  if (crop.kind === 'none') return `${size} ${resize}`;
  if (crop.kind === 'aspect') return `${size} ${resize} of the largest middle part`;
  return `shorter side ${crop.shorterSide} ${resize}, middle ${size}`;
}

/** Whoever wrote 1/255 finds 1/255 again. */
function scaledPixel(scale: number): string {
  if (scale === 1) return 'x';
  const divisor = Number((1 / scale).toPrecision(12));
  return 1 / divisor === scale && String(divisor).length <= 6 ? `x/${divisor}` : `x*${scale}`;
}

function list(values: readonly number[]): string {
  const [first = 0] = values;
  return values.every(value => value === first) ? String(first) : `[${values.join(', ')}]`;
}

function isNegative(mean: readonly number[]): boolean {
  return mean.every(value => value === mean[0] && value < 0);
}
