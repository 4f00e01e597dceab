// The options of a recipe, each defined once: flags of every command that prepares images, environment of the producer.
import { z } from 'zod';
import { ALPHA_POLICIES, CHANNEL_ORDERS, EXIF_POLICIES, QUALITIES, RESIZE_KERNELS } from './recipe.ts';

/** `0.5` or `0.485,0.456,0.406`; a fraction such as `1/255` too. */
const numberList = z
  .string()
  .refine(text => text.split(',').every(isNumber), 'a number, or one per channel separated by commas')
  .transform(text => text.split(',').map(numberOf));

/** Not z.coerce: it takes an empty text for 0. */
const decimal = z.string().refine(isNumber, 'a number or a fraction such as 1/255').transform(numberOf);

const imageSize = z
  .string()
  .regex(/^\d+x\d+$/, 'WIDTHxHEIGHT such as 224x224')
  .transform(text => {
    const [width = 0, height = 0] = text.split('x').map(Number);
    return { width, height };
  });

/** A crop as flags say it: without its shorter side, that is the larger side of the input. */
export type CropFlag =
  | { readonly kind: 'none' }
  | { readonly kind: 'aspect' }
  | { readonly kind: 'center'; readonly shorterSide?: number };

const cropFlag = z
  .string()
  .regex(/^(none|aspect|center|center:[1-9]\d{0,4})$/, 'none, aspect, center, or center:N such as center:256')
  .transform((text): CropFlag => {
    const [kind, shorterSide] = text.split(':');
    if (kind !== 'center') return { kind: kind === 'aspect' ? 'aspect' : 'none' };
    return { kind, ...(shorterSide !== undefined && { shorterSide: Number(shorterSide) }) };
  });

export const recipeOptions = {
  recipe: z.string().optional().meta({
    description: 'Preset such as keras:resnet50, torchvision or clip, or a recipe file; single flags win over it',
    value: 'NAME|FILE.json',
  }),
  size: imageSize.optional().meta({ description: 'Size of the input image', value: 'WxH' }),
  resize: z
    .string()
    .transform(kernel => (kernel.includes(':') ? kernel : `pillow:${kernel}`))
    .pipe(z.enum(RESIZE_KERNELS))
    .optional()
    .meta({
      description:
        "Resize kernel, equal to Pillow's or TensorFlow's: bilinear, pillow:lanczos, tf:bilinear+antialias, …",
      value: 'KERNEL',
    }),
  crop: cropFlag.optional().meta({
    description:
      'Squash the whole image, or cut: aspect takes the largest middle part, center:N makes the shorter side N first',
    value: 'none|aspect|center[:N]',
  }),
  channels: z.enum(CHANNEL_ORDERS).optional().meta({ description: 'Channel order of the input' }),
  scale: decimal.optional().meta({
    description: 'Factor on the 0-255 pixel, such as 1/255; value = (pixel * scale - mean) / std',
    value: 'S',
  }),
  mean: numberList
    .optional()
    .meta({ description: 'Subtracted after scaling: one number or one per channel', value: 'M' }),
  std: numberList.optional().meta({ description: 'Divisor: one number or one per channel', value: 'D' }),
  exif: z.enum(EXIF_POLICIES).optional().meta({ description: 'Whether to apply the EXIF orientation' }),
  alpha: z.enum(ALPHA_POLICIES).optional().meta({ description: 'Drop transparency, or blend over a colour' }),
  quality: z
    .enum(QUALITIES)
    .optional()
    .meta({ description: "Pillow's very pixels, or faster decoding and resizing that differ by some levels" }),
} as const;
export type RecipeOptions = z.output<z.ZodObject<typeof recipeOptions>>;

function isNumber(text: string): boolean {
  return text.trim() !== '' && Number.isFinite(numberOf(text));
}

/** Exact fractions spare the user sixteen digits: 0.0039 is half a percent off 1/255. */
function numberOf(text: string): number {
  const [dividend = '', divisor, ...rest] = text.split('/').map(part => part.trim());
  if (divisor === undefined) return Number(text);
  return rest.length > 0 || dividend === '' || divisor === '' ? Number.NaN : Number(dividend) / Number(divisor);
}
