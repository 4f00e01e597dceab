// Every layer class, compiled: what ONNX Runtime computes against what Keras itself does. Goldens: ../rebuild/golden.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { CannotCompile } from '../../../extractor/src/compile/cannot-compile.ts';
import { foldKernels } from '../../../extractor/src/compile/fold.ts';
import { traceKernels } from '../../../extractor/src/compile/kernel-graph.ts';
import { lowerKernels } from '../../../extractor/src/compile/lower-kernels.ts';
import { loadRuntime } from '../../../extractor/src/engines/onnx-runtime.ts';
import { rebuildLayersModel } from '../../../extractor/src/rebuild/layers-model.ts';
import type { TensorData } from '../../../shared/src/tensor.ts';
import { relativeDifference } from '../numbers.ts';
import { type GoldenCase, readGoldens } from '../rebuild/layer-goldens.ts';
import { useWasm } from '../small-model.ts';

const files = readdirSync(fileURLToPath(new URL('../rebuild/golden/', import.meta.url)))
  .filter(name => name.endsWith('.json'))
  .map(name => name.replace('.json', ''));

/** What no model for any number of images can be: these keep their engine. */
const NOT_COMPILED: readonly string[] = [];

beforeAll(useWasm);

describe.each(files)('%s', file => {
  test.each([...readGoldens(file)])('%s gives what Keras gives', async (about, golden) => {
    if (NOT_COMPILED.includes(about)) {
      await expect(runCompiled(golden)).rejects.toThrow(CannotCompile);
      return;
    }
    const results = await runCompiled(golden);
    expect(results).toHaveLength(golden.outputs.length);
    golden.outputs.forEach((expected, index) => {
      const result = results[index];
      expect(result?.shape).toEqual(expected.shape);
      expect(result === undefined ? Number.NaN : relativeDifference(expected, result)).toBeLessThanOrEqual(1e-5);
    });
  });
});

async function runCompiled({ graph, weights, inputs, outputs }: GoldenCase): Promise<readonly TensorData[]> {
  const model = rebuildLayersModel(graph, weights);
  const kernels = traceKernels(
    inputs.map(({ shape }) => shape.slice(1)),
    given => {
      const [first] = given;
      const result = model.apply(given.length === 1 && first !== undefined ? first : [...given], { training: false });
      return (Array.isArray(result) ? result : [result]) as tf.Tensor[];
    },
  );
  const inputNames = inputs.map((_, index) => `image${index}`);
  const outputNames = outputs.map((_, index) => `output${index}`);
  const bytes = lowerKernels(foldKernels(kernels), { inputNames, outputNames });
  const { InferenceSession, Tensor } = await loadRuntime();
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4, intraOpNumThreads: 1 });
  try {
    const feeds = inputs.map((input, index) => [`image${index}`, new Tensor('float32', input.data, [...input.shape])]);
    const results = await session.run(Object.fromEntries(feeds));
    return outputNames.map(name => {
      const result = results[name];
      if (result === undefined) throw new Error(`Expected an output ${name}`);
      return { dtype: 'float32', shape: result.dims, data: result.data as Float32Array };
    });
  } finally {
    await session.release();
    for (const weight of model.weights) weight.dispose();
  }
}
