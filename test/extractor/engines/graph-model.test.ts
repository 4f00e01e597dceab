// Graph models on both TensorFlow.js engines: the contract, and the same numbers as TensorFlow in Python on real models.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Engine } from '../../../extractor/src/engine.ts';
import { openTensorFlowEngine } from '../../../extractor/src/engines/tensorflow.ts';
import { openWasmEngine } from '../../../extractor/src/engines/wasm.ts';
import { tensorFlowStatus } from '../../../setup/src/tensorflow-library.ts';
import { sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';
import { MODELS, missing } from '../shared-material.ts';

const Golden = z.object({
  models: z.array(
    z.object({
      model: z.string(),
      inputShape: z.array(z.number()),
      layers: z.array(
        z.object({
          name: z.string(),
          shape: z.array(z.number()),
          norm: z.number(),
          step: z.number(),
          samples: z.array(z.number()),
        }),
      ),
    }),
  ),
});
const { models } = Golden.parse(
  JSON.parse(readFileSync(new URL('../models/golden/graph-models.json', import.meta.url), 'utf8')),
);
const tensorFlow = tensorFlowStatus();

describe.each([
  ['tensorflow', openTensorFlowEngine, tensorFlow.available ? undefined : tensorFlow.reason],
  ['wasm', openWasmEngine, undefined],
] as const)('the engine %s', (_name, open, absent) => {
  test.skipIf(absent !== undefined || missing(MODELS)).each(models.map(golden => [golden.model, golden] as const))(
    `gives the inner tensors that TensorFlow in Python gives for %s ${absent ?? ''}`,
    async (model, golden) => {
      const engine: Engine = await open();
      const layers = golden.layers.map(layer => layer.name);
      const extractor = await engine.load({ model: `${MODELS}/${model}`, layers, inputShape: golden.inputShape });
      const outputs = await extractor.run(goldenInput(golden.inputShape));
      await extractor.close();
      golden.layers.forEach((expected, index) => {
        const { shape = [], data = new Float32Array() } = outputs[index] ?? {};
        expect(shape, expected.name).toEqual(expected.shape);
        const received = Array.from(data).filter((_, position) => position % expected.step === 0);
        expect(cosine(received, expected.samples), expected.name).toBeGreaterThanOrEqual(0.999999);
        expect(norm(data) / expected.norm, expected.name).toBeCloseTo(1, 4);
      });
    },
  );
});

/** Two images, as the script that made the goldens makes them. */
function goldenInput(inputShape: readonly number[]): TensorData {
  const shape = [2, ...inputShape];
  const data = Float32Array.from({ length: sizeOfShape(shape) }, (_, i) => (((i * 7919) % 65521) % 256) / 255);
  return { dtype: 'float32', shape, data };
}

function norm(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
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
