// The extractor that both TensorFlow.js engines share: a sub-model that ends at the wanted layers, on one backend.
import type * as tf from '@tensorflow/tfjs';
import { type FeatureSpec, sizeOfShape } from '../../../shared/src/tensor.ts';
import type { Extractor, LoadOptions } from '../engine.ts';
import { openValues } from '../input-batch.ts';
import type { KerasFile } from '../models/keras-file.ts';
import { rebuildForImages } from '../models/keras-model.ts';
import { requireRows } from '../rows.ts';
import { useBackend } from '../tfjs.ts';
import { fromTensorData, runBatch } from '../tfjs-tensors.ts';

/**
 * Loads a layers model onto a backend and keeps the weights that the wanted layers need.
 * @param backend a registered backend of TensorFlow.js
 * @throws Refusal `model-unreadable`, `unknown-layer`, `recipe-mismatch`
 */
export async function loadTfjsExtractor(backend: string, file: KerasFile, options: LoadOptions): Promise<Extractor> {
  const weights = await file.weights({ data: true });
  useBackend(backend);
  const subModel = rebuildForImages(file, weights, options.inputShape, options.layers);
  const outputs = describeOutputs(subModel, options.layers);
  const valuesOf = openValues();
  let closed = false;

  const run: Extractor['run'] = async (input, take = outputs => outputs) => {
    if (closed) throw new Error('Expected an open extractor but it was closed');
    requireRows(input, options.inputShape);
    // Another engine of this process may have taken the runtime over; from here on all is synchronous.
    useBackend(backend);
    const tensor = fromTensorData(valuesOf(input));
    try {
      return take(runBatch(subModel, tensor));
    } finally {
      tensor.dispose();
    }
  };

  return {
    inputShape: options.inputShape,
    outputs,
    run,
    async warmUp(batch): Promise<void> {
      const shape = [batch, ...options.inputShape];
      await run({ dtype: 'float32', shape, data: new Float32Array(sizeOfShape(shape)) });
    },
    async close(): Promise<void> {
      if (closed) return;
      closed = true;
      disposeWeights(subModel.weights);
    },
  };
}

function describeOutputs(model: tf.LayersModel, layers: readonly string[]): FeatureSpec[] {
  return model.outputs.map((output, index) => {
    const axes = output.shape.length === 1 ? [1] : output.shape.slice(1);
    const name = layers[index] ?? output.name;
    const shape = axes.map(axis => {
      if (axis === null) throw new Error(`Expected a layer of fixed shape but '${name}' gives [${axes.join(', ')}]`);
      return axis;
    });
    return { name, dtype: 'float32', shape };
  });
}

function disposeWeights(weights: readonly tf.LayerVariable[]): void {
  for (const weight of weights) weight.dispose();
}
