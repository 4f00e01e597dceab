// What a run records of a compiled model: which file it is, and what the reference engine gave for fixed images. For run.json,
// its writer (the planner) and its readers (the workers).
import { z } from 'zod';

/** The answers of one layer to the fixed images, or as many of them as are kept. */
const LayerAnswers = z.strictObject({
  /** Values of one image. */
  size: z.int().min(1),
  /** Of `size` values the one at floor(i × size ÷ kept), for each i < kept. */
  kept: z.int().min(1),
  /** Largest absolute value of the layer over all images and values: what differences are measured by. */
  largest: z.number(),
  /** How far the compiled model's own answers lay from these where the run was planned: see agreement.ts. */
  cosine: z.number(),
  relative: z.number(),
  /** Base64 of float32, little-endian, [rows, kept]. */
  values: z.string(),
});
export type LayerAnswers = z.output<typeof LayerAnswers>;

export const CompiledAnswers = z.strictObject({
  /** Engine that gave them: the reference, or `onnx` where the compiled model was asked for although it differs. */
  engine: z.string(),
  /** Number of images. */
  rows: z.int().min(1).max(2),
  /** In the order of the request's layers. */
  layers: z.array(LayerAnswers).min(1),
});
export type CompiledAnswers = z.output<typeof CompiledAnswers>;

export const CompiledRecord = z.strictObject({
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('Digest of the ONNX file, which stands in OUT/compiled/'),
  bytes: z.int().min(1),
  winograd: z.boolean().describe('Whether 3 × 3 convolutions are computed by minimal filtering'),
  answers: CompiledAnswers.describe('What it must give for fixed images on every processor'),
});
export type CompiledRecord = z.output<typeof CompiledRecord>;

/** In the run directory, and below a cache. */
export const COMPILED_FOLDER = 'compiled';

/** Relative to the run directory, or to a cache. */
export function compiledPath({ sha256 }: Pick<CompiledRecord, 'sha256'>): string {
  return `${COMPILED_FOLDER}/${sha256}.onnx`;
}
