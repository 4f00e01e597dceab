// A model file, cut at the wanted layers, as an ONNX model. Needs a backend of TensorFlow.js to run it once; the result needs
// ONNX Runtime alone.
import type * as tf from '@tensorflow/tfjs';
import { openKerasFile } from '../models/keras-formats.ts';
import { rebuildForImages } from '../models/keras-model.ts';
import { foldKernels } from './fold.ts';
import { traceKernels } from './kernel-graph.ts';
import { lowerKernels } from './lower-kernels.ts';

export interface CompileOptions {
  /** Absolute path of a Keras file or a TensorFlow.js model. */
  readonly model: string;
  /** Exact layer names: the names of the outputs, in this order. */
  readonly layers: readonly string[];
  /** [height, width, channels] */
  readonly inputShape: readonly number[];
}

/** Of the compiled model's input. */
export const COMPILED_INPUT = 'image';

/**
 * Compiles on the current backend of TensorFlow.js.
 * @returns the bytes of an ONNX model: input `image` [rows, height, width, channels], one output per layer, all float32
 * @throws CannotCompile; Refusal `model-unreadable`, `unknown-layer`, `recipe-mismatch`
 */
export async function compileModel({ model, layers, inputShape }: CompileOptions): Promise<Uint8Array> {
  const file = await openKerasFile(model);
  const weights = await file.weights({ data: true });
  const subModel = rebuildForImages(file, weights, inputShape, layers);
  try {
    const kernels = traceKernels([inputShape], ([image]) => {
      const outputs = subModel.apply(image as tf.Tensor, { training: false }) as tf.Tensor | tf.Tensor[];
      return Array.isArray(outputs) ? outputs : [outputs];
    });
    return lowerKernels(foldKernels(kernels), {
      name: file.graph.name,
      inputNames: [COMPILED_INPUT],
      outputNames: layers,
    });
  } finally {
    for (const weight of subModel.weights) weight.dispose();
  }
}
