// The preprocessing recipe: image bytes to input values, stored with every run and in every part.
import { z } from 'zod';

/**
 * Resize kernels by library and name: `pillow:*` equal Pillow's filters bit for bit (8-bit pixels), `tf:*` TensorFlow's
 * `tf.image.resize` of that method (float pixels, not rounded), within 1e-4 of a level.
 */
export const RESIZE_KERNELS = [
  'pillow:nearest',
  'pillow:box',
  'pillow:bilinear',
  'pillow:bicubic',
  'pillow:lanczos',
  'tf:nearest',
  'tf:area',
  'tf:bilinear',
  'tf:bicubic',
  'tf:lanczos3',
  'tf:bilinear+antialias',
  'tf:bicubic+antialias',
  'tf:lanczos3+antialias',
] as const;
export type ResizeKernel = (typeof RESIZE_KERNELS)[number];

/** A kernel without its library is Pillow's. */
const resizeKernel = z.preprocess(
  value => (typeof value === 'string' && !value.includes(':') ? `pillow:${value}` : value),
  z.enum(RESIZE_KERNELS),
);

/**
 * What happens to the aspect ratio. `none` squashes the whole image to width × height. `center` resizes the shorter side
 * to `shorterSide` and cuts width × height out of the middle (`rounding` of half a pixel: torchvision rounds half to
 * even, Hugging Face's image processors cut down). `aspect` cuts the largest middle part of the target's aspect ratio,
 * then resizes it (Keras' `crop_to_aspect_ratio`).
 */
export const Crop = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({
    kind: z.literal('center'),
    shorterSide: z.int().min(1).max(16384),
    rounding: z.enum(['half-even', 'floor']).default('half-even'),
  }),
  z.strictObject({ kind: z.literal('aspect') }),
]);
export type Crop = z.output<typeof Crop>;

export const CHANNEL_ORDERS = ['rgb', 'bgr', 'gray'] as const;
export type ChannelOrder = (typeof CHANNEL_ORDERS)[number];

/** What to do with an EXIF orientation: Pillow's `open`, TensorFlow and torchvision all ignore it. */
export const EXIF_POLICIES = ['ignore', 'apply'] as const;

/** What becomes of transparency: dropped as Pillow's convert('RGB') and TensorFlow do, or blended over a colour. */
export const ALPHA_POLICIES = ['drop', 'white', 'black'] as const;

/** `exact` decodes to Pillow's very pixels; `fast` lets libvips shrink while it decodes and resize with its own kernels. */
export const QUALITIES = ['exact', 'fast'] as const;

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
  resize: resizeKernel.default('pillow:bilinear').describe('Resize kernel, equal to that of the named library'),
  crop: Crop.default({ kind: 'none' }).describe('What happens to the aspect ratio'),
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
  alpha: z.enum(ALPHA_POLICIES).default('drop').describe('What becomes of transparency'),
  quality: z.enum(QUALITIES).default('exact').describe('Exact pixels, or fast decoding'),
});
export type Recipe = z.output<typeof Recipe>;
export type RecipeInput = z.input<typeof Recipe>;
/** Some fields of a recipe, as written or as parsed. */
export type RecipeFields = Partial<RecipeInput> | Partial<Recipe>;

/**
 * Where a run's recipe came from, the strongest first; stored beside it. `flags` also stands for flags over one of the
 * others, `model-files` for what the model's publisher put beside it, `graph` for a model that prepares its own input.
 */
export const RECIPE_ORIGINS = ['flags', 'preset', 'file', 'sidecar', 'model-files', 'graph', 'architecture'] as const;
export type RecipeOrigin = (typeof RECIPE_ORIGINS)[number];
