// Demo images as model inputs, by the project's own preprocessing, without files in between. For training and tests.

import { prepareImage } from '../../extractor/src/preprocess/prepare-image.ts';
import type { Recipe } from '../../shared/src/recipe.ts';
import { demoImage } from './images.ts';
import type { LabelledRows } from './nearest-neighbour.ts';
import { createRandom } from './random.ts';
import { SHAPE_NAMES } from './shapes.ts';

export interface PreparedRowsOptions {
  readonly recipe: Recipe;
  readonly perClass: number;
  readonly seed: number;
}

/** Images prepared at once: enough to fill sharp's threads, few enough to hold. */
const BATCH = 64;

/** Input values [rows, height, width, channels] and their classes, in an order that mixes the classes. */
export async function prepareDemoRows({ recipe, perClass, seed }: PreparedRowsOptions): Promise<LabelledRows> {
  const wanted = shuffled(
    SHAPE_NAMES.flatMap(shape => Array.from({ length: perClass }, (_, index) => ({ shape, index }))),
    seed,
  );
  const rows: Float32Array[] = [];
  for (let start = 0; start < wanted.length; start += BATCH) {
    const batch = wanted.slice(start, start + BATCH).map(async ({ shape, index }) => {
      const prepared = await prepareImage(await demoImage(shape, index, seed), recipe);
      if (!prepared.ok) throw new Error(`Expected a readable demo image: ${prepared.failure.message}`);
      return prepared.image.values;
    });
    rows.push(...(await Promise.all(batch)));
  }
  return { values: joinRows(rows), labels: wanted.map(({ shape }) => shape) };
}

function joinRows(rows: readonly Float32Array[]): Float32Array {
  const size = rows[0]?.length ?? 0;
  const values = new Float32Array(rows.length * size);
  rows.forEach((row, index) => {
    values.set(row, index * size);
  });
  return values;
}

function shuffled<T>(items: readonly T[], seed: number): readonly T[] {
  const random = createRandom(seed);
  return items
    .map(item => ({ item, key: random.between(0, 1) }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
