// A model file, cut at the wanted layers, as an ONNX model. Needs a backend of TensorFlow.js to run it once; the result needs
// ONNX Runtime alone.
import type * as tf from '@tensorflow/tfjs';
import { loadGraphModel, needsAsync } from '../load-graph-model.ts';
import type { KerasFile } from '../models/keras-file.ts';
import { openTfjsFile } from '../models/keras-formats.ts';
import { rebuildForImages } from '../models/keras-model.ts';
import type { GraphModelFiles } from '../models/tfjs-graph-model-files.ts';
import { tfjs } from '../tfjs.ts';
import { CannotCompile } from './cannot-compile.ts';
import { foldKernels } from './fold.ts';
import { type KernelGraph, traceKernels } from './kernel-graph.ts';
import { lowerKernels } from './lower-kernels.ts';

export interface CompileOptions {
  /** Absolute path of a Keras file or a TensorFlow.js model. */
  readonly model: string;
  /** Exact layer names: the names of the outputs, in this order. */
  readonly layers: readonly string[];
  /** [height, width, channels] */
  readonly inputShape: readonly number[];
  /** As in LoweredModel. */
  readonly winograd?: boolean;
}

/**
 * Compiles on the current backend of TensorFlow.js.
 * @returns the bytes of an ONNX model: one input [rows, height, width, channels], one output per layer, all float32
 * @throws CannotCompile; Refusal `model-unreadable`, `unknown-layer`, `recipe-mismatch`
 */
export async function compileModel(options: CompileOptions): Promise<Uint8Array> {
  const file = await openTfjsFile(options.model);
  const kernels = await (file.format === 'tfjs-graph'
    ? traceGraphModel(file, options)
    : traceKerasModel(file, options));
  const { layers, winograd } = options;
  return lowerKernels(foldKernels(kernels), { inputNames: [inputName(layers)], outputNames: layers, winograd });
}

/** A layer may have that name too. */
function inputName(layers: readonly string[]): string {
  let name = 'image';
  while (layers.includes(name)) name = `${name}_`;
  return name;
}

async function traceKerasModel(file: KerasFile, { layers, inputShape }: CompileOptions): Promise<KernelGraph> {
  const weights = await file.weights({ data: true });
  const model = rebuildForImages(file, weights, inputShape, layers);
  try {
    return traceKernels([inputShape], ([image]) => {
      const outputs = model.apply(image as tf.Tensor, { training: false }) as tf.Tensor | tf.Tensor[];
      return Array.isArray(outputs) ? outputs : [outputs];
    });
  } finally {
    for (const weight of model.weights) weight.dispose();
  }
}

async function traceGraphModel(file: GraphModelFiles, options: CompileOptions): Promise<KernelGraph> {
  const graph = await loadGraphModel(tfjs().getBackend(), file, options);
  try {
    if (graph.fixedRows !== undefined) {
      throw new CannotCompile(`its file fixes the number of images to ${graph.fixedRows}`);
    }
    return traceKernels([options.inputShape], ([image]) => {
      if (image === undefined) throw new Error('Expected an image');
      const fetched = graph.fetched.length === 0 ? [] : graph.model.execute(graph.feed(image), [...graph.fetched]);
      return graph.arrange(image, Array.isArray(fetched) ? fetched : [fetched]);
    });
  } catch (cause) {
    if (!needsAsync(cause)) throw cause;
    throw new CannotCompile('it has branches or loops', { cause });
  } finally {
    graph.model.dispose();
  }
}
