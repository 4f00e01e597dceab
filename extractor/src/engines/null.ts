// The `null` engine: computes nothing and gives zeros, so that a run measures the flow alone.
import { type FeatureSpec, sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';
import type { Engine, EngineOptions, Extractor, LoadOptions } from '../engine.ts';
import { parseNullModel, requireNullLayer } from '../models/null.ts';

export async function openNullEngine(_options: EngineOptions = {}): Promise<Engine> {
  return { name: 'null', versions: () => ({}), load: loadNullExtractor };
}

async function loadNullExtractor(options: LoadOptions): Promise<Extractor> {
  const shape = parseNullModel(options.model);
  const outputs: readonly FeatureSpec[] = options.layers.map(name => ({
    name,
    dtype: 'float32',
    shape: requireNullLayer(name, shape),
  }));
  let zeros = new Float32Array(0);
  let closed = false;

  function zerosOf(rows: number): TensorData {
    const size = rows * sizeOfShape(shape);
    // One buffer for all batches. A taker that transferred it to another thread left it empty: then a new one is made.
    if (zeros.length < size) zeros = new Float32Array(size);
    return { dtype: 'float32', shape: [rows, ...shape], data: zeros.subarray(0, size) };
  }

  return {
    inputShape: options.inputShape,
    outputs,
    async run(input, take = given => given): Promise<readonly TensorData[]> {
      if (closed) throw new Error('Expected an open extractor but it was closed');
      return take(outputs.map(() => zerosOf(input.shape[0] ?? 0)));
    },
    async warmUp(batch): Promise<void> {
      zerosOf(batch);
    },
    async close(): Promise<void> {
      closed = true;
      zeros = new Float32Array(0);
    },
  };
}
