// The recipe's arithmetic against float32 as numpy does it.
import { describe, expect, it } from 'vitest';
import type { Pixels } from '../../../extractor/src/preprocess/pixels.ts';
import { toTensor } from '../../../extractor/src/preprocess/to-tensor.ts';
import { Recipe } from '../../../shared/src/recipe.ts';

/** What Keras' models and torchvision's take. */
const RECIPES = {
  tf: { scale: 1 / 127.5, mean: 1 },
  caffe: { scale: 1, mean: [103.939, 116.779, 123.68], channels: 'bgr' },
  torch: { scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  clip: {
    scale: 1 / 255,
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
  },
} as const;

const every: Pixels = {
  data: Uint8Array.from({ length: 256 * 3 }, (_, i) => (i * 7) & 255),
  width: 16,
  height: 16,
  channels: 3,
};

describe('toTensor', () => {
  for (const [name, input] of Object.entries(RECIPES)) {
    it(`is within 1e-6 of numpy's float32 for the ${name} recipe`, () => {
      const recipe = Recipe.parse({ width: 16, height: 16, ...input });
      const values = toTensor(every, recipe);
      const expected = numpyFloat32(every.data, recipe);
      const scale = Math.max(...expected.map(Math.abs));
      values.forEach((value, i) => {
        expect(Math.abs(value - (expected[i] as number))).toBeLessThanOrEqual(1e-6 * scale);
      });
    });
  }

  it.each([
    { channels: 'rgb', pixels: 3 },
    { channels: 'bgr', pixels: 3 },
    { channels: 'rgb', pixels: 1 },
    { channels: 'bgr', pixels: 1 },
    { channels: 'gray', pixels: 1 },
  ] as const)('gives float pixels the same values as whole ones, $pixels channels as $channels', given => {
    const recipe = Recipe.parse({ width: 16, height: 16, ...RECIPES.torch, channels: given.channels });
    const whole = { data: every.data.subarray(0, 256 * given.pixels), width: 16, height: 16, channels: given.pixels };
    expect(toTensor({ ...whole, data: Float32Array.from(whole.data) }, recipe)).toEqual(toTensor(whole, recipe));
  });

  it('rounds float pixels to no level', () => {
    const half = { data: Float32Array.of(0.5, 127.25, 260), width: 1, height: 1, channels: 3 } as const;
    const values = toTensor(half, Recipe.parse({ width: 1, height: 1, scale: 2, mean: 1 }));
    expect(Array.from(values)).toEqual([0, 253.5, 519]);
  });

  it('gives NaN for no pixel value', () => {
    const recipe = Recipe.parse({ width: 16, height: 16, ...RECIPES.torch });
    expect(toTensor(every, recipe).some(Number.isNaN)).toBe(false);
  });

  it('takes three channels under a gray recipe for a bug', () => {
    expect(() => toTensor(every, Recipe.parse({ width: 16, height: 16, scale: 1, channels: 'gray' }))).toThrow(
      TypeError,
    );
  });
});

/** Every step rounded to float32, as `(x.astype('float32') * scale - mean) / std` with float32 arrays. */
function numpyFloat32(data: Uint8Array, recipe: Recipe): readonly number[] {
  const f = Math.fround;
  return Array.from(data, (_, i) => {
    const channel = i % 3;
    const pixel = data[recipe.channels === 'bgr' ? i - channel + (2 - channel) : i] as number;
    const mean = f(recipe.mean[channel] ?? recipe.mean[0] ?? 0);
    const std = f(recipe.std[channel] ?? recipe.std[0] ?? 1);
    return f(f(f(pixel * f(recipe.scale)) - mean) / std);
  });
}
