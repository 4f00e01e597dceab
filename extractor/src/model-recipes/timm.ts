// timm's config.json: the `pretrained_cfg` of a PyTorch image model, beside its ONNX export.
import { z } from 'zod';
import type { RecipeInput } from '../../../shared/src/recipe.ts';
import type { ModelRecipeFormat } from '../model-recipe.ts';

/** Defaults of timm's `resolve_data_config`. */
const PretrainedConfig = z.looseObject({
  input_size: z.tuple([z.int(), z.int().min(1), z.int().min(1)]).default([3, 224, 224]),
  interpolation: z.string().default('bicubic'),
  crop_pct: z.number().positive().default(0.875),
  crop_mode: z.string().default('center'),
  mean: z.array(z.number()).min(1).default([0.485, 0.456, 0.406]),
  std: z.array(z.number()).min(1).default([0.229, 0.224, 0.225]),
});
type PretrainedConfig = z.output<typeof PretrainedConfig>;

const KERNELS = ['nearest', 'bilinear', 'bicubic', 'lanczos', 'box'];

/** timm's `transforms_imagenet_eval`: resize by `crop_pct`, cut the middle, x / 255, mean and std. */
export const timmRecipe: ModelRecipeFormat = {
  file: 'config.json',
  writer: 'timm',
  read(json) {
    const config = configIn(json);
    if (config === undefined) return undefined;
    const parsed = PretrainedConfig.safeParse(config);
    if (!parsed.success) return `its pretrained_cfg is not timm's: ${z.prettifyError(parsed.error)}`;
    const { input_size, interpolation, mean, std } = parsed.data;
    const [channels, height, width] = input_size;
    const crop = cropOf(parsed.data);
    if (typeof crop === 'string') return crop;
    if (!KERNELS.includes(interpolation)) return `it asks for the interpolation '${interpolation}'`;
    if (channels !== 1 && channels !== 3) return `it asks for ${channels} channels`;
    return {
      width,
      height,
      crop,
      resize: `pillow:${interpolation}`,
      channels: channels === 1 ? 'gray' : 'rgb',
      scale: 1 / 255,
      mean,
      std,
    };
  },
};

/** Older files hold the fields at the top, beside the `architecture`. Null stands for the default. */
function configIn(json: unknown): Record<string, unknown> | undefined {
  const File = z.looseObject({
    architecture: z.string().optional(),
    pretrained_cfg: z.record(z.string(), z.unknown()).optional(),
  });
  const parsed = File.safeParse(json);
  if (!parsed.success) return undefined;
  const { pretrained_cfg, ...top } = parsed.data;
  const config = pretrained_cfg ?? ('architecture' in top && 'input_size' in top ? top : undefined);
  return config && Object.fromEntries(Object.entries(config).filter(([, value]) => value !== null));
}

function cropOf({ input_size, crop_pct, crop_mode }: PretrainedConfig): RecipeInput['crop'] | string {
  const [, height, width] = input_size;
  if (crop_mode === 'squash' && crop_pct === 1) return { kind: 'none' };
  if (crop_mode !== 'center') return `it asks for the crop mode '${crop_mode}' with crop_pct ${crop_pct}`;
  if (height !== width) return `it cuts a ${width}x${height} middle, and only square ones are known here`;
  return { kind: 'center', shorterSide: Math.floor(width / crop_pct) };
}
