// Turns resized pixels into the model's float input by the recipe, for prepare-image.ts.
import type { Recipe } from '../../../shared/src/recipe.ts';
import { channelCount } from '../../../shared/src/recipe-shape.ts';
import { floatToTensor } from './float-to-tensor.ts';
import type { FloatPixels, Pixels } from './pixels.ts';

/** The recipe's arithmetic, done once for each of the 256 pixel values. */
type ValueTable = Float32Array;
type Tables = readonly [ValueTable, ValueTable, ValueTable];

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
  if (recipe.channels === 'gray' && channels !== 1) {
    throw new TypeError(`Expected 1 channel for a gray recipe but received ${channels}`);
  }
  const expected = width * height * channelCount(recipe);
  if (values.length !== expected) throw new TypeError(`Expected ${expected} values but received ${values.length}`);
  if (data instanceof Float32Array) {
    floatToTensor({ ...pixels, data }, recipe, values);
    return values;
  }
  const tables = tablesOf(recipe);
  if (recipe.channels === 'gray') lookUpGray(data, values, tables);
  else if (channels === 1) repeatGray(data, values, tables);
  else if (recipe.channels === 'rgb') lookUpRgb(data, values, tables);
  else lookUpBgr(data, values, tables);
  return values;
}

/** Of the recipe that was asked for last, which is that of the run. */
let tables: Tables | undefined;
let tablesFor: Recipe | undefined;

/** In the order of the model's channels. */
function tablesOf(recipe: Recipe): Tables {
  if (tables === undefined || !isSameArithmetic(recipe, tablesFor)) {
    tables = [valueTable(recipe, 0), valueTable(recipe, 1), valueTable(recipe, 2)];
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
function valueTable(recipe: Recipe, channel: number): ValueTable {
  const mean = recipe.mean[channel] ?? recipe.mean[0] ?? 0;
  const std = recipe.std[channel] ?? recipe.std[0] ?? 1;
  return Float32Array.from({ length: 256 }, (_, pixel) => (pixel * recipe.scale - mean) / std);
}

function lookUpRgb(data: Uint8Array, values: Float32Array, [r, g, b]: Tables): void {
  for (let i = 0; i < values.length; i += 3) {
    values[i] = r[data[i] as number] as number;
    values[i + 1] = g[data[i + 1] as number] as number;
    values[i + 2] = b[data[i + 2] as number] as number;
  }
}

function lookUpBgr(data: Uint8Array, values: Float32Array, [b, g, r]: Tables): void {
  for (let i = 0; i < values.length; i += 3) {
    values[i] = b[data[i + 2] as number] as number;
    values[i + 1] = g[data[i + 1] as number] as number;
    values[i + 2] = r[data[i] as number] as number;
  }
}

function repeatGray(data: Uint8Array, values: Float32Array, [first, second, third]: Tables): void {
  for (let i = 0, to = 0; to < values.length; i++, to += 3) {
    const pixel = data[i] as number;
    values[to] = first[pixel] as number;
    values[to + 1] = second[pixel] as number;
    values[to + 2] = third[pixel] as number;
  }
}

function lookUpGray(data: Uint8Array, values: Float32Array, [table]: Tables): void {
  for (let i = 0; i < values.length; i++) values[i] = table[data[i] as number] as number;
}
