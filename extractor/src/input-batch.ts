// A batch of images as an engine takes it: the model's values, or the 8-bit levels that a recipe makes them of. For the
// engines and the worker.
import type { Recipe } from '../../shared/src/recipe.ts';
import { channelCount } from '../../shared/src/recipe-shape.ts';
import type { TensorData } from '../../shared/src/tensor.ts';
import type { Pixels } from './preprocess/pixels.ts';
import { toTensor } from './preprocess/to-tensor.ts';

export type InputBatch = TensorData | LevelBatch;

/** A quarter of the memory of the values, which an engine then makes where it needs them next. */
export interface LevelBatch {
  readonly dtype: 'uint8';
  /** [rows, height, width, channels of the recipe] */
  readonly shape: readonly number[];
  /** Red, green, blue, whatever order the model wants. */
  readonly data: Uint8Array;
  /** Its scale, mean, std and order of channels make the values. */
  readonly recipe: Recipe;
}

/** The values of a batch; those made of levels are good until the next call. */
export type ValuesOf = (batch: InputBatch) => TensorData;

/** For one extractor: the memory of its values is used again. */
export function openValues(): ValuesOf {
  let memory = new Float32Array(0);
  return batch => {
    if (batch.dtype === 'float32') return batch;
    const { data, shape, recipe } = batch;
    if (memory.length < data.length) memory = new Float32Array(data.length);
    const [rows = 0, height = 0, width = 0] = shape;
    // The rows of all images are the rows of one picture.
    const pixels: Pixels = { data, width, height: rows * height, channels: channelCount(recipe) };
    return { dtype: 'float32', shape, data: toTensor(pixels, recipe, memory.subarray(0, data.length)) };
  };
}
