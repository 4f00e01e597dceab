// Layers of small and real models as another implementation computed them: reads the goldens, makes their input, compares.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { z } from 'zod';
import type { Engine } from '../../../extractor/src/engine.ts';
import { sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';

const GoldenLayer = z.object({
  shape: z.array(z.number()),
  norm: z.number(),
  /** Every so many values, one is in `samples`. */
  step: z.number(),
  samples: z.array(z.number()),
});
type GoldenLayers = Readonly<Record<string, z.output<typeof GoldenLayer>>>;

/** Absolute path of a file or folder beside the scripts that make them. */
export const goldenPath = (name: string): string => fileURLToPath(new URL(`../models/golden/${name}`, import.meta.url));

export function readGoldens(file: string): Readonly<Record<string, GoldenLayers>> {
  const Goldens = z.object({ models: z.record(z.string(), z.record(z.string(), GoldenLayer)) });
  return Goldens.parse(JSON.parse(readFileSync(goldenPath(file), 'utf8'))).models;
}

/** Two images, as the scripts make them: whole numbers, so that both are exact. */
export function goldenInput(inputShape: readonly number[], divisor: number): TensorData {
  const shape = [2, ...inputShape];
  const data = Float32Array.from({ length: sizeOfShape(shape) }, (_, i) => (((i * 7919) % 65521) % 256) / divisor);
  return { dtype: 'float32', shape, data };
}

/** @param layerOf the name in our table, for a name of the golden */
export async function expectGoldens(
  engine: Engine,
  model: string,
  goldens: GoldenLayers,
  input: TensorData,
  layerOf: (golden: string) => string = name => name,
): Promise<void> {
  const layers = Object.keys(goldens).map(layerOf);
  const extractor = await engine.load({ model, layers, inputShape: input.shape.slice(1) });
  const outputs = await extractor.run(input);
  await extractor.close();
  Object.entries(goldens).forEach(([name, expected], index) => {
    const { shape = [], data = new Float32Array() } = outputs[index] ?? {};
    expect(shape, name).toEqual(expected.shape);
    const received = Array.from(data).filter((_, position) => position % expected.step === 0);
    expect(cosine(received, expected.samples), name).toBeGreaterThanOrEqual(0.999999);
    const norm = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));
    expect(norm / expected.norm, name).toBeCloseTo(1, 4);
  });
}

function cosine(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Number.NaN;
  let [product, sizeA, sizeB] = [0, 0, 0];
  a.forEach((x, i) => {
    const y = b[i] ?? Number.NaN;
    product += x * y;
    sizeA += x * x;
    sizeB += y * y;
  });
  return product / Math.sqrt(sizeA * sizeB);
}
