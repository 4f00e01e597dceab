// The request: what to extract, decided before the first job and stored in run.json.
import { z } from 'zod';
import { RECIPE_ORIGINS, Recipe } from './recipe.ts';

export const FORMATS = ['parquet', 'arrow', 'both'] as const;
export const POOLINGS = ['none', 'mean', 'max'] as const;
export const DTYPES = ['float32'] as const;
/** `null` reads no image and computes nothing: it measures the flow alone. */
export const ENGINE_NAMES = ['tensorflow', 'onnx', 'wasm', 'null'] as const;

export type Format = (typeof FORMATS)[number];
export type Pooling = (typeof POOLINGS)[number];
export type EngineName = (typeof ENGINE_NAMES)[number];

/** One part file is written per entry, for every shard. */
export function formatsOf(format: Format): readonly ('parquet' | 'arrow')[] {
  return format === 'both' ? ['parquet', 'arrow'] : [format];
}

export const ExtractRequest = z.strictObject({
  model: z.string().describe('Model file or folder, as an absolute path'),
  modelSha256: z.string().describe('Digest of all bytes of the model'),
  layers: z.array(z.string()).min(1).describe('Exact layer names, one output column each'),
  pool: z.enum(POOLINGS).describe('Pooling over all axes but the last (channels)'),
  dtype: z.enum(DTYPES),
  recipe: Recipe,
  recipeOrigin: z.enum(RECIPE_ORIGINS),
  engine: z.enum(ENGINE_NAMES),
  batch: z.int().min(1).describe('Images per inference'),
  format: z.enum(FORMATS),
});
export type ExtractRequest = z.output<typeof ExtractRequest>;
