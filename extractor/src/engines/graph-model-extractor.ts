// The extractor of TensorFlow.js graph models, on one backend of TensorFlow.js.
import type * as tf from '@tensorflow/tfjs';
import type { TensorData } from '../../../shared/src/tensor.ts';
import type { Extractor, LoadOptions } from '../engine.ts';
import { loadGraphModel, needsAsync } from '../load-graph-model.ts';
import type { GraphModelFiles } from '../models/tfjs-graph-model-files.ts';
import { useBackend } from '../tfjs.ts';
import { fromTensorData, toTensorData } from '../tfjs-tensors.ts';
import { openRowExtractor } from './row-extractor.ts';

/**
 * Loads a graph model onto a backend.
 * @param backend a registered backend of TensorFlow.js
 * @throws Refusal `model-unreadable`, `unknown-layer`, `recipe-mismatch`
 */
export async function loadGraphModelExtractor(
  backend: string,
  files: GraphModelFiles,
  options: LoadOptions,
): Promise<Extractor> {
  const graph = await loadGraphModel(backend, files, options);
  const { model, fixedRows } = graph;
  const fetched = [...graph.fetched];
  let mode: 'execute' | 'executeAsync' = 'execute';

  async function runOnce(batch: TensorData): Promise<readonly TensorData[]> {
    useBackend(backend);
    const float = fromTensorData(batch);
    const inputs = graph.feed(float);
    let outputs: readonly tf.Tensor[] = [];
    try {
      outputs = fetched.length === 0 ? [] : await execute(inputs);
      return graph.arrange({ ...batch, data: batch.data.slice() }, outputs.map(toTensorData));
    } finally {
      for (const tensor of [...outputs, float, ...Object.values(inputs)]) if (!tensor.isDisposed) tensor.dispose();
    }
  }

  /** The first run tells which way the graph wants. */
  async function execute(inputs: tf.NamedTensorMap): Promise<readonly tf.Tensor[]> {
    try {
      return listOf(mode === 'execute' ? model.execute(inputs, fetched) : await model.executeAsync(inputs, fetched));
    } catch (error) {
      if (mode !== 'execute' || !needsAsync(error)) throw error;
      mode = 'executeAsync';
      return listOf(await model.executeAsync(inputs, fetched));
    }
  }

  return openRowExtractor({ runOnce, fixedRows, close: async () => model.dispose() }, options);
}

function listOf(outputs: tf.Tensor | tf.Tensor[]): readonly tf.Tensor[] {
  const list = Array.isArray(outputs) ? outputs : [outputs];
  if (list.some(tensor => tensor === undefined || tensor === null))
    throw new Error('Expected a value of every layer but some were not computed for this input');
  return list;
}
