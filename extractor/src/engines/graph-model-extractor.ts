// The extractor of TensorFlow.js graph models, on one backend of TensorFlow.js.
import type * as tf from '@tensorflow/tfjs';
import { Refusal } from '../../../shared/src/errors.ts';
import type { TensorData } from '../../../shared/src/tensor.ts';
import type { Extractor, LoadOptions } from '../engine.ts';
import { describeGraph } from '../models/graph-layers.ts';
import { requireGraphLayers } from '../models/graph-request.ts';
import { imageGraphOf } from '../models/tfjs-graph-model.ts';
import type { GraphModelFiles } from '../models/tfjs-graph-model-files.ts';
import { readWeights } from '../models/tfjs-weights.ts';
import { tfjs } from '../tfjs.ts';
import { fromTensorData, toTensorData } from '../tfjs-tensors.ts';
import { openRowExtractor } from './row-extractor.ts';
import { useBackend } from './tfjs-extractor.ts';

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
  const graph = imageGraphOf(files);
  const { table, tensors } = describeGraph(graph);
  requireGraphLayers(table, options.inputShape, options.layers);
  const model = await load(backend, files);
  const image = graph.image.node;
  const wanted = options.layers.map(layer => tensors.get(layer) ?? { node: layer, output: 0 });
  const fetched = wanted.filter(({ node }) => node !== image).map(({ node, output }) => `${node}:${output}`);
  const castTo = graph.image.elementType === 'DT_FLOAT' ? undefined : 'int32';
  let mode: 'execute' | 'executeAsync' = 'execute';

  async function runOnce(batch: TensorData): Promise<readonly TensorData[]> {
    useBackend(backend);
    const float = fromTensorData(batch);
    const input = castTo === undefined ? float : float.cast(castTo);
    let outputs: readonly tf.Tensor[] = [];
    try {
      outputs = fetched.length === 0 ? [] : await execute(input);
      const features = outputs.map(toTensorData);
      return wanted.map(({ node }) => (node === image ? copyOf(batch) : takeFirst(features)));
    } finally {
      for (const tensor of [...outputs, float, input]) if (!tensor.isDisposed) tensor.dispose();
    }
  }

  /** Nodes whose order or shape shows only while running want the slower way: the first run tells. */
  async function execute(input: tf.Tensor): Promise<readonly tf.Tensor[]> {
    const inputs = { [image]: input };
    try {
      return listOf(mode === 'execute' ? model.execute(inputs, fetched) : await model.executeAsync(inputs, fetched));
    } catch (error) {
      const wantsAsync = mode === 'execute' && error instanceof Error && error.message.includes('executeAsync');
      if (!wantsAsync) throw error;
      mode = 'executeAsync';
      return listOf(await model.executeAsync(inputs, fetched));
    }
  }

  const rows = graph.image.shape?.[0] ?? undefined;
  return openRowExtractor({ runOnce, fixedRows: rows, close: async () => model.dispose() }, options);
}

async function load(backend: string, files: GraphModelFiles): Promise<tf.GraphModel> {
  const weightData = await readWeights(files.weightFiles);
  useBackend(backend);
  try {
    // Without the signature: its keys may be names of other nodes, and TensorFlow.js would take those instead.
    const handler = {
      load: async (): Promise<tf.io.ModelArtifacts> => ({
        modelTopology: files.topology,
        weightSpecs: files.weightSpecs as unknown as tf.io.WeightsManifestEntry[],
        weightData,
      }),
    };
    return await tfjs().loadGraphModel(handler);
  } catch (cause) {
    throw new Refusal('model-unreadable', `Expected a graph model that TensorFlow.js can load in ${files.path}`, {
      hint: 'The file may be damaged: copy or convert the model again.',
      cause,
    });
  }
}

function listOf(outputs: tf.Tensor | tf.Tensor[]): readonly tf.Tensor[] {
  const list = Array.isArray(outputs) ? outputs : [outputs];
  if (list.some(tensor => tensor === undefined || tensor === null))
    throw new Error('Expected a value of every layer but some were not computed for this input');
  return list;
}

function takeFirst(features: TensorData[]): TensorData {
  const feature = features.shift();
  if (feature === undefined) throw new Error('Expected one output per layer but received fewer');
  return feature;
}

function copyOf(batch: TensorData): TensorData {
  return { ...batch, data: batch.data.slice() };
}
