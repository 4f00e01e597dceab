// Samples as one input tensor and the rows that go with it, in this process: training sets and probes of `layertap fit`.
import { createHash } from 'node:crypto';
import { prepareImage } from '../../../extractor/src/preprocess/prepare-image.ts';
import { DEFAULT_IMAGE_LIMITS } from '../../../extractor/src/preprocess.ts';
import { readImageFile } from '../../../services/worker/src/read-image-file.ts';
import type { Row } from '../../../services/worker/src/serialize.ts';
import type { Sample } from '../../../shared/src/manifest.ts';
import type { Recipe } from '../../../shared/src/recipe.ts';
import { shapeOfRecipe } from '../../../shared/src/recipe-shape.ts';
import { sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';

export interface PreparedSamples {
  readonly rows: readonly Row[];
  /** Shape [rows, height, width, channels]; the slot of a failed sample holds zeros. */
  readonly input: TensorData;
}

/** Decodes all of them at once: for batches, not for a whole source. */
export async function prepareSamples(samples: readonly Sample[], recipe: Recipe): Promise<PreparedSamples> {
  const shape = shapeOfRecipe(recipe);
  const size = sizeOfShape(shape);
  const data = new Float32Array(samples.length * size);
  const rows = await Promise.all(
    samples.map(async (sample, slot): Promise<Row> => {
      const file = await readImageFile(sample.uri, DEFAULT_IMAGE_LIMITS.maxBytes);
      if (!file.ok) return { sample, sha256: null, size: null, failure: file.failure };
      const sha256 = createHash('sha256').update(file.bytes).digest('hex');
      const prepared = await prepareImage(file.bytes, recipe);
      if (!prepared.ok) return { sample, sha256, size: null, failure: prepared.failure };
      const { values, width, height } = prepared.image;
      data.set(values, slot * size);
      return { sample, sha256, size: { width, height }, failure: undefined };
    }),
  );
  return { rows, input: { dtype: 'float32', shape: [samples.length, ...shape], data } };
}
