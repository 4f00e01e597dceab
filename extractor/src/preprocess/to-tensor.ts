// Turns resized pixels into the model's float input by the recipe, for prepare-image.ts.
import type { Recipe } from '../../../shared/src/recipe.ts';
import { floatToTensor } from './float-to-tensor.ts';
import type { FloatPixels, Pixels } from './pixels.ts';

/** The recipe's arithmetic, done once for each of the 256 pixel values. */
type ValueTable = Float32Array;
type Tables = readonly [ValueTable, ValueTable, ValueTable];

/**
 * Input values [height, width, channels of the recipe], row-major: (pixel × scale − mean) ÷ std.
 * One-channel pixels under an rgb or bgr recipe are repeated; three-channel pixels under gray are a bug of the caller,
 * since Pillow converts to "L" before it resizes.
 */
export function toTensor(pixels: Pixels | FloatPixels, recipe: Recipe): Float32Array<ArrayBuffer> {
  const { data, channels } = pixels;
  if (recipe.channels === 'gray' && channels !== 1) {
    throw new TypeError(`Expected 1 channel for a gray recipe but received ${channels}`);
  }
  if (data instanceof Float32Array) return floatToTensor({ ...pixels, data }, recipe);
  const count = pixels.width * pixels.height;
  const first = valueTable(recipe, 0);
  if (recipe.channels === 'gray') return lookUpGray(data, count, first);
  // The tables are in the order of the model's channels, `source` is where each of them stands in the RGB pixels.
  const tables: Tables = [first, valueTable(recipe, 1), valueTable(recipe, 2)];
  if (channels === 1) return repeatGray(data, count, tables);
  return recipe.channels === 'rgb' ? lookUpRgb(data, count, tables) : lookUpBgr(data, count, tables);
}

/** float64 arithmetic, rounded once to float32: within half a unit of the last place of the exact value. */
function valueTable(recipe: Recipe, channel: number): ValueTable {
  const mean = recipe.mean[channel] ?? recipe.mean[0] ?? 0;
  const std = recipe.std[channel] ?? recipe.std[0] ?? 1;
  return Float32Array.from({ length: 256 }, (_, pixel) => (pixel * recipe.scale - mean) / std);
}

function lookUpRgb(data: Uint8Array, count: number, [r, g, b]: Tables): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count * 3);
  for (let i = 0; i < values.length; i += 3) {
    values[i] = r[data[i] as number] as number;
    values[i + 1] = g[data[i + 1] as number] as number;
    values[i + 2] = b[data[i + 2] as number] as number;
  }
  return values;
}

function lookUpBgr(data: Uint8Array, count: number, [b, g, r]: Tables): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count * 3);
  for (let i = 0; i < values.length; i += 3) {
    values[i] = b[data[i + 2] as number] as number;
    values[i + 1] = g[data[i + 1] as number] as number;
    values[i + 2] = r[data[i] as number] as number;
  }
  return values;
}

function repeatGray(data: Uint8Array, count: number, [first, second, third]: Tables): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count * 3);
  for (let i = 0, to = 0; i < count; i++, to += 3) {
    const pixel = data[i] as number;
    values[to] = first[pixel] as number;
    values[to + 1] = second[pixel] as number;
    values[to + 2] = third[pixel] as number;
  }
  return values;
}

function lookUpGray(data: Uint8Array, count: number, table: ValueTable): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = table[data[i] as number] as number;
  return values;
}
