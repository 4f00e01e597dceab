// Gives a layer its weights while it builds itself: the file's values, or only their shapes. For layers-model.ts.
import type * as tf from '@tensorflow/tfjs';
import { Refusal } from '../../../shared/src/errors.ts';
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import type { LayerWeight } from '../layer-graph.ts';
import { type Tfjs, tfjs } from '../tfjs.ts';

/** The parts of a layer that adding a weight touches; TensorFlow.js keeps them out of its types. */
interface BuildingLayer {
  addWeight: AddWeight;
  _trainableWeights: unknown[];
}
type AddWeight = (name: string, shape: number[], dtype?: string, initializer?: unknown, ...rest: unknown[]) => unknown;

/**
 * Runs `build`, in which the layer adds its weights: each takes the next of `weights` instead of random numbers.
 * A weight whose values were not read becomes only its shape: the layer can be described then, not run.
 * @throws Refusal `model-unreadable` where number or shapes differ from what the layer needs
 */
export function supplyWeights<T>(layer: tf.layers.Layer, weights: readonly LayerWeight[], build: () => T): T {
  const runtime = tfjs();
  // A wrapper has the weights of the layer inside.
  const { layer: inner } = layer as { readonly layer?: tf.layers.Layer };
  const building = (inner ?? layer) as unknown as BuildingLayer;
  const added: string[] = [];
  building.addWeight = (name, shape, dtype, _initializer, ...rest) => {
    const weight = weights[added.length];
    added.push(`${name} [${shape.join(', ')}]`);
    if (weight === undefined || !sameShape(weight.shape, shape)) throw misfit(layer.name, added, weights);
    if (weight.data === undefined) return addShape(building, weight, name, dtype);
    const add = runtime.layers.Layer.prototype as unknown as BuildingLayer;
    return add.addWeight.call(building, name, shape, 'float32', initialValue(runtime, weight), ...rest);
  };
  let result: T;
  try {
    result = build();
  } finally {
    // What is left is the method of the class.
    Reflect.deleteProperty(building, 'addWeight');
  }
  if (added.length !== weights.length) throw misfit(layer.name, added, weights);
  return result;
}

/** Stands for a weight in a layer that is only described. */
function addShape(layer: BuildingLayer, weight: LayerWeight, name: string, dtype = 'float32'): unknown {
  const shape = [...weight.shape];
  const placeholder = {
    name,
    originalName: name,
    shape,
    dtype,
    size: sizeOfShape(shape),
    dispose: (): void => undefined,
  };
  layer._trainableWeights.push(placeholder);
  return placeholder;
}

/** As an initializer, so that the values are never beside random ones. */
function initialValue(runtime: Tfjs, weight: LayerWeight): { apply(): tf.Tensor } {
  return { apply: () => runtime.tensor(weight.data ?? [], [...weight.shape], 'float32') };
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((axis, index) => axis === b[index]);
}

function misfit(layer: string, needed: readonly string[], given: readonly LayerWeight[]): Refusal {
  const received = given.map(weight => `${weight.name} [${weight.shape.join(', ')}]`);
  return new Refusal(
    'model-unreadable',
    `Expected the weights ${needed.join(', ') || 'none'} for layer '${layer}' but received ${received.join(', ') || 'none'}`,
    { hint: 'The weights belong to another model, or some are missing: save the model again.' },
  );
}
