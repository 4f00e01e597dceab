// A TensorFlow.js graph model on the current backend, with what must be fed and fetched for some layers: for its engine and
// for the compiler.
import type * as tf from '@tensorflow/tfjs';
import { Refusal } from '../../shared/src/errors.ts';
import { describeGraph } from './models/graph-layers.ts';
import { requireGraphLayers } from './models/graph-request.ts';
import { imageGraphOf } from './models/tfjs-graph-model.ts';
import type { GraphModelFiles } from './models/tfjs-graph-model-files.ts';
import { readWeights } from './models/tfjs-weights.ts';
import { tfjs, useBackend } from './tfjs.ts';

export interface LoadedGraphModel {
  readonly model: tf.GraphModel;
  /** How many rows the graph takes, where the file fixes that. */
  readonly fixedRows: number | undefined;
  /** What `execute` is given. @param image [rows, height, width, channels], float32; a cast copy must be disposed by the caller */
  feed(image: tf.Tensor): { readonly [node: string]: tf.Tensor };
  /** What `execute` is asked for; the image itself cannot be asked for. */
  readonly fetched: readonly string[];
  /** One entry per layer from what was fetched. @param image stands for a layer that is the image itself */
  arrange<T>(image: T, fetched: readonly T[]): readonly T[];
}

/** @throws Refusal `model-unreadable`, `unknown-layer`, `recipe-mismatch` */
export async function loadGraphModel(
  backend: string,
  files: GraphModelFiles,
  options: { readonly layers: readonly string[]; readonly inputShape: readonly number[] },
): Promise<LoadedGraphModel> {
  const graph = imageGraphOf(files);
  const { table, tensors } = describeGraph(graph);
  requireGraphLayers(table, options.inputShape, options.layers);
  const model = await load(backend, files);
  const image = graph.image.node;
  const wanted = options.layers.map(layer => tensors.get(layer) ?? { node: layer, output: 0 });
  const isFloat = graph.image.elementType === 'DT_FLOAT';
  return {
    model,
    fixedRows: graph.image.shape?.[0] ?? undefined,
    feed: float => ({ [image]: isFloat ? float : float.cast('int32') }),
    fetched: wanted.filter(({ node }) => node !== image).map(({ node, output }) => `${node}:${output}`),
    arrange: (given, fetched) => {
      const rest = fetched.values();
      return wanted.map(({ node }) => {
        const value = node === image ? given : rest.next().value;
        if (value === undefined) throw new Error('Expected one output per layer but received fewer');
        return value;
      });
    },
  };
}

/** Nodes whose order or shape shows only while running: they want `executeAsync`. */
export function needsAsync(error: unknown): boolean {
  return error instanceof Error && error.message.includes('executeAsync');
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
