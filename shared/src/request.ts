// The request: what to extract, decided before the first job and stored in run.json.

import { z } from 'zod';
import { CompiledRecord } from './compiled-record.ts';
import { PoolingName } from './pooling.ts';
import { RECIPE_ORIGINS, Recipe } from './recipe.ts';

export const FORMATS = ['parquet', 'arrow', 'both'] as const;
export const TENSOR_TYPES = ['typed', 'plain'] as const;
export const NORMALIZATIONS = ['none', 'l2'] as const;
export const DTYPES = ['float32', 'float16'] as const;
/** `null` reads no image and computes nothing: it measures the flow alone. */
export const ENGINE_NAMES = ['tensorflow', 'onnx', 'wasm', 'null'] as const;

export type Format = (typeof FORMATS)[number];
export type Normalization = (typeof NORMALIZATIONS)[number];
export type Dtype = (typeof DTYPES)[number];
export type EngineName = (typeof ENGINE_NAMES)[number];

/** One part file is written per entry, for every shard. */
export function formatsOf(format: Format): readonly ('parquet' | 'arrow')[] {
  return format === 'both' ? ['parquet', 'arrow'] : [format];
}

const SingleRequest = z.strictObject({
  model: z.string().describe('Model file or folder, as an absolute path'),
  modelName: z.string().optional().describe('Stands before its columns, as NAME/LAYER; none where there is one model'),
  modelUrl: z
    .string()
    .optional()
    .describe('Where a worker that lacks the model gets it, with #sha256=HEX; without user and query'),
  modelSha256: z.string().describe('Digest of all bytes of the model'),
  layers: z.array(z.string()).min(1).describe('Exact layer names, one output column each'),
  pool: z
    .union([PoolingName, z.array(PoolingName).min(2).readonly()])
    .describe('Pooling over all axes but the last (channels); of several, each gives a column'),
  normalize: z.enum(['l2']).optional().describe('After pooling, over all values of a sample; none where it is missing'),
  predictions: z
    .array(z.string())
    .min(1)
    .optional()
    .describe('Layers that are there as predictions: neither pooled nor normalized'),
  dtype: z.enum(DTYPES).describe('Type of the values in the parts'),
  recipe: Recipe,
  recipeOrigin: z.enum(RECIPE_ORIGINS),
  engine: z.enum(ENGINE_NAMES),
  lowering: z
    .int()
    .min(1)
    .optional()
    .describe('Of a model that was compiled for the engine: the version of its lowering'),
  compiled: CompiledRecord.optional().describe(
    'Of such a model: its file and what it must answer; runs of old have none',
  ),
  engineWarning: z.string().optional().describe('Why the engine is slower, or gives other numbers, than could be'),
  batch: z.int().min(1).describe('Images per inference'),
  deterministic: z
    .literal(true)
    .optional()
    .describe('Parts are equal to the last byte: all workers have the versions, processor and threads of the first'),
  format: z.enum(FORMATS),
  tensors: z.literal('plain').optional().describe('Columns of more than one axis are plain lists, not tensors'),
});

/** The part of a request that each of its models has for itself. */
export const ModelRequest = SingleRequest.pick({
  model: true,
  modelName: true,
  modelUrl: true,
  modelSha256: true,
  layers: true,
  predictions: true,
  recipe: true,
  recipeOrigin: true,
  engine: true,
  lowering: true,
  compiled: true,
  engineWarning: true,
});
export type ModelRequest = z.output<typeof ModelRequest>;

export const ExtractRequest = SingleRequest.extend({
  otherModels: z.array(ModelRequest).min(1).optional().describe('After the first one, for the same decoded images'),
});
export type ExtractRequest = z.output<typeof ExtractRequest>;

/** All models of a request, in the order of their columns. */
export function modelsOf(request: ExtractRequest): readonly ModelRequest[] {
  return [request, ...(request.otherModels ?? [])];
}

/** One sentence or more for each model whose engine could be faster, or gives other numbers than its reference. */
export function engineWarnings(request: ExtractRequest): readonly string[] {
  return modelsOf(request).flatMap(({ modelName, engineWarning }) => {
    if (engineWarning === undefined) return [];
    return modelName === undefined ? engineWarning : `${modelName}: ${engineWarning}`;
  });
}

/** False where only the flow is measured: nobody looks at an image. */
export function readsImages(request: ExtractRequest): boolean {
  return modelsOf(request).some(({ engine }) => engine !== 'null');
}
