// The preprocessing recipe: image bytes to input values, stored with every run and in every part.
import { z } from 'zod';

/** Resize kernels, each equal bit for bit to Pillow's filter of that name. */
export const RESIZE_KERNELS = ['nearest', 'box', 'bilinear', 'bicubic', 'lanczos'] as const;
export type ResizeKernel = (typeof RESIZE_KERNELS)[number];

export const CHANNEL_ORDERS = ['rgb', 'bgr', 'gray'] as const;
export type ChannelOrder = (typeof CHANNEL_ORDERS)[number];

/** What to do with an EXIF orientation: Pillow's `open`, TensorFlow and torchvision all ignore it. */
export const EXIF_POLICIES = ['ignore', 'apply'] as const;

const perChannel = z
  .union([z.number(), z.array(z.number()).min(1)])
  .transform((value): readonly number[] => (typeof value === 'number' ? [value] : value));

/**
 * value = (pixel × scale − mean) ÷ std, pixels being 0–255, after the channels are in order.
 * `mean` and `std` hold one number for all channels or one per channel, in channel order.
 */
export const Recipe = z.strictObject({
  width: z.int().min(1).max(16384).describe('Width of the model input in pixels'),
  height: z.int().min(1).max(16384).describe('Height of the model input in pixels'),
  resize: z
    .enum(RESIZE_KERNELS)
    .default('bilinear')
    .describe("Resize kernel, equal to Pillow's; the image is squashed"),
  channels: z.enum(CHANNEL_ORDERS).default('rgb').describe('Channel order of the input; gray is Pillow\'s "L"'),
  scale: z
    .number()
    .refine(scale => scale !== 0, 'must not be 0')
    .describe('Factor on the 0–255 pixel; no default, since a wrong one raises no error anywhere'),
  mean: perChannel.default([0]).describe('Subtracted after scaling'),
  std: perChannel
    .refine(values => values.every(value => value !== 0), 'must not be 0')
    .default([1])
    .describe('Divided by after the mean is subtracted'),
  exif: z.enum(EXIF_POLICIES).default('ignore').describe('Whether the EXIF orientation is applied'),
});
export type Recipe = z.output<typeof Recipe>;
export type RecipeInput = z.input<typeof Recipe>;

/** Where a run's recipe came from; stored beside it. */
export type RecipeOrigin = 'flags' | 'file' | 'sidecar';

/** Number of channels that the recipe produces. */
export function channelCount(recipe: Recipe): number {
  return recipe.channels === 'gray' ? 1 : 3;
}
