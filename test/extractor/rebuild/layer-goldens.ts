// Reads the goldens that golden/make_layers.py writes: tiny models with weights, an input and what Keras computes.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type * as tf from '@tensorflow/tfjs';
import { dialectOf } from '../../../extractor/src/keras/containers.ts';
import { readLayerGraph } from '../../../extractor/src/keras/read-graph.ts';
import type { JsonObject, LayerGraph, LayerWeights } from '../../../extractor/src/layer-graph.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import type { TensorData } from '../../../shared/src/tensor.ts';

interface EncodedTensor {
  readonly shape: readonly number[];
  /** Little-endian float32 as base64. */
  readonly data: string;
}

interface EncodedCase {
  readonly model: JsonObject;
  readonly weights: Readonly<Record<string, readonly (EncodedTensor & { readonly name: string })[]>>;
  readonly inputs: readonly EncodedTensor[];
  readonly outputs: readonly EncodedTensor[];
}

export interface GoldenCase {
  readonly graph: LayerGraph;
  readonly weights: LayerWeights;
  readonly inputs: readonly TensorData[];
  readonly outputs: readonly TensorData[];
}

/** All cases of a file, by what they are about. */
export function readGoldens(name: string): ReadonlyMap<string, GoldenCase> {
  const path = fileURLToPath(new URL(`golden/${name}.json`, import.meta.url));
  const { keras, cases } = JSON.parse(readFileSync(path, 'utf8')) as {
    readonly keras: string;
    readonly cases: Readonly<Record<string, EncodedCase>>;
  };
  const dialect = dialectOf(keras, {});
  return new Map(
    Object.entries(cases).map(([about, { model, weights, inputs, outputs }]) => [
      about,
      {
        graph: readLayerGraph(model, dialect).graph,
        weights: new Map(
          Object.entries(weights).map(([layer, list]) => [
            layer,
            list.map(weight => ({ name: weight.name, shape: weight.shape, data: decode(weight).data })),
          ]),
        ),
        inputs: inputs.map(decode),
        outputs: outputs.map(decode),
      },
    ]),
  );
}

/** What the model gives for the inputs, one entry per output. */
export function runModel(model: tf.LayersModel, inputs: readonly TensorData[]): TensorData[] {
  return tfjs().tidy(() => {
    const tensors = inputs.map(input => tfjs().tensor(input.data, [...input.shape], 'float32'));
    const [first] = tensors;
    const given = tensors.length === 1 && first !== undefined ? first : tensors;
    const result = model.apply(given, { training: false }) as tf.Tensor | tf.Tensor[];
    return (Array.isArray(result) ? result : [result]).map(tensor => ({
      dtype: 'float32' as const,
      shape: tensor.shape,
      data: Float32Array.from(tensor.dataSync()),
    }));
  });
}

function decode({ shape, data }: EncodedTensor): TensorData {
  const bytes = Uint8Array.from(Buffer.from(data, 'base64'));
  return { dtype: 'float32', shape: [...shape], data: new Float32Array(bytes.buffer) };
}
