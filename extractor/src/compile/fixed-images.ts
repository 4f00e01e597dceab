// Images that are the same on every machine, as values of a recipe: what engines are compared by.
import type { Recipe } from '../../../shared/src/recipe.ts';
import { sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';
import { toTensor } from '../preprocess/to-tensor.ts';

/** Pictures of large and small structures: pure noise lets batch normalisations die out. The first ones do not depend on `rows`. */
export function fixedImages(recipe: Recipe, rows: number): TensorData {
  const { width, height } = recipe;
  const channels = recipe.channels === 'gray' ? 1 : 3;
  let state = 1;
  const below = (end: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 16) % end;
  };
  const images = Array.from({ length: rows }, () => {
    const data = new Uint8Array(width * height * channels);
    const waves = Array.from({ length: channels }, () => [1 + below(7), 1 + below(7), below(64)] as const);
    for (let pixel = 0; pixel < width * height; pixel++) {
      const [x, y] = [(pixel % width) / width, Math.floor(pixel / width) / height];
      for (const [channel, [across, down, shift]] of waves.entries()) {
        const wave = Math.sin(6.28 * (across * x + down * y) + shift);
        data[pixel * channels + channel] = Math.min(255, Math.max(0, 128 + 90 * wave + below(64) - 32));
      }
    }
    return { data, width, height, channels } as const;
  });
  const shape = [rows, height, width, channels];
  const values = new Float32Array(sizeOfShape(shape));
  images.forEach((image, row) => {
    const { length } = image.data;
    toTensor(image, recipe, values.subarray(row * length, (row + 1) * length));
  });
  return { dtype: 'float32', shape, data: values };
}
