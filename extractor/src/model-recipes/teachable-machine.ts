// Teachable Machine's metadata.json, beside the TensorFlow.js models that it exports.
import { z } from 'zod';
import type { ModelRecipeFormat } from '../model-recipe.ts';

const Metadata = z.looseObject({
  packageName: z.literal('@teachablemachine/image'),
  imageSize: z.int().min(1).nullish(),
  grayscale: z.boolean().nullish(),
});

/**
 * What @teachablemachine/image 0.8.5 does, in training too: `cropTo` makes the shorter side `imageSize` and cuts the
 * middle, `capture` computes x / 127 - 1 (127, not 127.5). Its browser canvas resizes in its own way; bilinear is near.
 */
export const teachableMachineRecipe: ModelRecipeFormat = {
  file: 'metadata.json',
  writer: 'Teachable Machine',
  read(json) {
    const parsed = Metadata.safeParse(json);
    if (!parsed.success) return undefined;
    const { imageSize, grayscale } = parsed.data;
    const size = imageSize ?? 224;
    return {
      width: size,
      height: size,
      crop: { kind: 'center', shorterSide: size, rounding: 'floor' },
      channels: grayscale === true ? 'gray' : 'rgb',
      scale: 1 / 127,
      mean: [1],
    };
  },
};
