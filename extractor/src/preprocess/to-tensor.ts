// Turns resized pixels into the model's float input by the recipe, for prepare-image.ts.
import type { Recipe } from '../../../shared/src/recipe.ts';
import { channelCount } from '../../../shared/src/recipe-shape.ts';
import { floatToTensor } from './float-to-tensor.ts';
import { lookUpValues, type ValueTables } from './look-up.ts';
import type { FloatPixels, Pixels } from './pixels.ts';

/**
 * Input values [height, width, channels of the recipe], row-major: (pixel × scale − mean) ÷ std, written into `values`.
 * One-channel pixels under an rgb or bgr recipe are repeated; three-channel pixels under gray are a bug of the caller,
 * since Pillow converts to "L" before it resizes.
 */
export function toTensor(
  pixels: Pixels | FloatPixels,
  recipe: Recipe,
  values: Float32Array = new Float32Array(pixels.width * pixels.height * channelCount(recipe)),
): Float32Array {
  const { data, width, height, channels } = pixels;
  const wanted = channelCount(recipe);
  if (wanted === 1 && channels !== 1) {
    throw new TypeError(`Expected 1 channel for a gray recipe but received ${channels}`);
  }
  const expected = width * height * wanted;
  if (values.length !== expected) throw new TypeError(`Expected ${expected} values but received ${values.length}`);
  if (data instanceof Float32Array) {
    floatToTensor({ ...pixels, data }, recipe, values);
    return values;
  }
  let levels = data;
  if (levels.length < values.length) {
    levels = new Uint8Array(values.length);
    repeatLevels(data, levels);
  }
  lookUpValues(tablesOf(recipe), levels, values, { channels: wanted, reversed: recipe.channels === 'bgr' });
  return values;
}

/** The levels [height, width, channels of the recipe] that `toTensor` makes the same values of; one channel is repeated. */
export function writeLevels(pixels: Pixels | FloatPixels, recipe: Recipe, levels: Uint8Array): void {
  const { data, width, height, channels } = pixels;
  const wanted = channelCount(recipe);
  const expected = width * height * wanted;
  if (levels.length !== expected) throw new TypeError(`Expected ${expected} levels but received ${levels.length}`);
  if (!(data instanceof Uint8Array)) throw new TypeError(`Expected levels of 8 bits but ${recipe.resize} gives others`);
  if (channels === wanted) levels.set(data);
  else if (channels === 1) repeatLevels(data, levels);
  else throw new TypeError(`Expected 1 channel for a gray recipe but received ${channels}`);
}

/** Of the recipe that was asked for last, which is that of the run. */
let tables: ValueTables | undefined;
let tablesFor: Recipe | undefined;

/** The recipe's arithmetic, done once for each level. */
function tablesOf(recipe: Recipe): ValueTables {
  if (tables === undefined || !isSameArithmetic(recipe, tablesFor)) {
    tables = Float32Array.from({ length: 3 * 256 }, (_, at) => inputValue(at % 256, recipe, Math.floor(at / 256)));
    tablesFor = recipe;
  }
  return tables;
}

function isSameArithmetic({ scale, mean, std }: Recipe, other: Recipe | undefined): boolean {
  return other !== undefined && scale === other.scale && isSame(mean, other.mean) && isSame(std, other.std);
}

function isSame(list: readonly number[], other: readonly number[]): boolean {
  return list.length === other.length && list.every((value, index) => value === other[index]);
}

/** float64 arithmetic, rounded once to float32: within half a unit of the last place of the exact value. */
function inputValue(pixel: number, { scale, mean, std }: Recipe, channel: number): number {
  return (pixel * scale - (mean[channel] ?? mean[0] ?? 0)) / (std[channel] ?? std[0] ?? 1);
}

function repeatLevels(data: Uint8Array, levels: Uint8Array): void {
  for (let i = 0, to = 0; to < levels.length; i++, to += 3) {
    const level = data[i] as number;
    levels[to] = level;
    levels[to + 1] = level;
    levels[to + 2] = level;
  }
}
