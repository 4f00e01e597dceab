// Hugging Face's preprocessor_config.json: what an image processor of transformers does, beside a model's export.
import { z } from 'zod';
import type { RecipeInput } from '../../../shared/src/recipe.ts';
import type { ModelRecipeFormat } from '../model-recipe.ts';

const side = z.int().min(1);
const Size = z.union([
  side.transform(edge => ({ edge })),
  z.strictObject({ height: side, width: side }),
  z.strictObject({ shortest_edge: side }),
]);
const perChannel = z.union([z.number(), z.array(z.number()).min(1)]);

/** Null stands for absent: newer files write every field. */
const Config = z.looseObject({
  image_processor_type: z.string().optional(),
  feature_extractor_type: z.string().optional(),
  do_resize: z.boolean().default(true),
  size: Size.optional(),
  resample: z.int().optional(),
  crop_pct: z.number().positive().optional(),
  do_center_crop: z.boolean().default(false),
  crop_size: Size.optional(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z.number().default(1 / 255),
  do_normalize: z.boolean().default(true),
  image_mean: perChannel.optional(),
  image_std: perChannel.optional(),
  do_flip_channel_order: z.boolean().default(false),
});
type Config = z.output<typeof Config>;

/** Steps that are done here, or that no input value depends on. */
const KNOWN_STEPS = [
  'do_resize',
  'do_center_crop',
  'do_rescale',
  'do_normalize',
  'do_convert_rgb',
  'do_flip_channel_order',
  'do_reduce_labels',
];
/** Settings that change the values in ways of their own, where they are neither false nor absent. */
const OTHER_STEPS = ['rescale_offset', 'include_top', 'keep_aspect_ratio', 'size_divisor', 'ensure_multiple_of'];

/** PIL.Image.Resampling */
const KERNELS = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box'];

type SizeFields = Pick<RecipeInput, 'width' | 'height' | 'crop'>;

export const huggingFaceRecipe: ModelRecipeFormat = {
  file: 'preprocessor_config.json',
  writer: 'Hugging Face transformers',
  read(json) {
    const given = z.record(z.string(), z.unknown()).safeParse(json);
    if (!given.success) return undefined;
    const fields = Object.fromEntries(Object.entries(given.data).filter(([, value]) => value !== null));
    // Its values stand in timm's config.json.
    if (String(fields.image_processor_type).startsWith('TimmWrapper')) return undefined;
    const other = otherStep(fields);
    if (other !== undefined) return `it asks for ${other}`;
    const parsed = Config.safeParse(fields);
    if (!parsed.success) return `its fields are not those of an image: ${oneLine(z.prettifyError(parsed.error))}`;
    return recipeOf(parsed.data);
  },
};

function recipeOf(config: Config): Partial<RecipeInput> | string {
  const { do_resize, resample, do_rescale, rescale_factor, do_normalize, image_mean, image_std } = config;
  if (!do_resize) return 'it leaves the resizing to others (do_resize is false)';
  const kernel = KERNELS[resample ?? -1];
  if (kernel === undefined) return `it asks for the resample ${resample ?? 'of its class, without saying which'}`;
  const size = sizeOf(config);
  if (typeof size === 'string') return size;
  if (do_normalize && (image_mean === undefined || image_std === undefined))
    return 'it normalises without image_mean or image_std';
  if (do_normalize && config.do_flip_channel_order)
    return 'it flips the channels and normalises, in an order that it does not say';
  return {
    ...size,
    resize: `pillow:${kernel}`,
    channels: config.do_flip_channel_order ? 'bgr' : 'rgb',
    scale: do_rescale ? rescale_factor : 1,
    ...(do_normalize && { mean: image_mean, std: image_std }),
  };
}

/** Resize and crop of transformers' image_transforms.py; ConvNeXt has a rule of its own, CLIP's old files a number. */
function sizeOf(config: Config): SizeFields | string {
  const { size, do_center_crop, crop_size, crop_pct } = config;
  const type = config.image_processor_type ?? config.feature_extractor_type ?? '';
  if (size === undefined) return 'it has no size';
  if (type.startsWith('ConvNext')) {
    const edge = 'edge' in size ? size.edge : 'shortest_edge' in size ? size.shortest_edge : undefined;
    if (edge === undefined || do_center_crop) return `its size is not that of ${type}`;
    if (edge >= 384) return squashed(edge, edge);
    return middle(edge, Math.trunc(edge / (crop_pct ?? 224 / 256)));
  }
  if (crop_pct !== undefined || type.startsWith('Levit')) return `${type} resizes by a rule of its own`;
  const crop = crop_size === undefined ? undefined : squareSide(crop_size);
  if ('height' in size) {
    if (do_center_crop && (crop !== size.width || crop !== size.height)) {
      return 'it squashes the image and cuts the middle of that';
    }
    return squashed(size.width, size.height);
  }
  if (!do_center_crop) {
    if ('edge' in size) return squashed(size.edge, size.edge);
    return 'it keeps the aspect ratio, so that each image has a size of its own';
  }
  if (crop === undefined) return 'it cuts no square middle (crop_size)';
  if ('shortest_edge' in size) return middle(crop, size.shortest_edge);
  return type.startsWith('CLIP') ? middle(crop, size.edge) : `its size ${size.edge} may mean the shorter side or both`;
}

function squashed(width: number, height: number): SizeFields {
  return { width, height, crop: { kind: 'none' } };
}

function middle(side: number, shorterSide: number): SizeFields {
  return { width: side, height: side, crop: { kind: 'center', shorterSide, rounding: 'floor' } };
}

function squareSide(size: z.output<typeof Size>): number | undefined {
  if ('edge' in size) return size.edge;
  return 'height' in size && size.height === size.width ? size.height : undefined;
}

function otherStep(fields: Readonly<Record<string, unknown>>): string | undefined {
  const steps = Object.keys(fields).filter(name => name.startsWith('do_') && !KNOWN_STEPS.includes(name));
  return [...steps, ...OTHER_STEPS].find(name => fields[name] !== undefined && fields[name] !== false);
}

function oneLine(text: string): string {
  return text.replaceAll('\n', ' ');
}
