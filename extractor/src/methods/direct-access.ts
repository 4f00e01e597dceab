// Way 2: direct access to the layers themselves: iterate, match by name, class, index or predicate, and run layer by layer.
import type * as tf from '@tensorflow/tfjs';
import { nearestNames, Refusal } from '../../../shared/src/errors.ts';
import type { TensorData } from '../../../shared/src/tensor.ts';
import { tfjs } from '../tfjs.ts';
import { callOf, layerOutputs } from '../tfjs-graph.ts';
import { toTensorData } from '../tfjs-tensors.ts';

/**
 * Which layers: an exact name, a pattern on the name, an index from either end, a class, or any test on the layer.
 * A list takes what any of its entries takes.
 */
export type LayerMatcher =
  | string
  | RegExp
  | number
  | { readonly className: string }
  | ((layer: tf.layers.Layer, index: number) => boolean)
  | readonly LayerMatcher[];

/**
 * The layers that match, in the order of the model; none is a valid answer.
 *
 * @example
 * for (const layer of findLayers(model, { className: 'Conv2D' })) console.log(layer.name, layer.outputShape);
 */
export function findLayers(model: tf.LayersModel, matcher: LayerMatcher): tf.layers.Layer[] {
  return model.layers.filter((layer, index) => matches(layer, index, model.layers.length, matcher));
}

/**
 * Runs the model layer by layer, up to the layers that match, and gives their values by layer name.
 * @param input tensor of shape [rows, …input shape]; stays the caller's
 * @returns one entry per layer, in the order of the model: values of shape [rows, …shape of the layer]
 * @throws Refusal `unknown-layer` where no layer matches
 *
 * @example
 * const values = runLayers(model, layer => layer.name.endsWith('_add'), images);
 * for (const [name, { shape, data }] of values) console.log(name, shape, data[0]);
 */
export function runLayers(
  model: tf.LayersModel,
  matcher: LayerMatcher,
  input: tf.Tensor,
): ReadonlyMap<string, TensorData> {
  const outputs = layerOutputs(model);
  // A nested model, or a layer's further output, has a name but is no layer of the rebuilt model.
  const isNamed = typeof matcher === 'string' && outputs.has(matcher);
  const wanted = isNamed ? [matcher] : findLayers(model, matcher).map(layer => layer.name);
  if (wanted.length === 0) throw noneMatches(model, matcher);
  const values = new Map<string, TensorData>();
  tfjs().tidy(() => {
    const known = new Map(model.inputs.map(symbolic => [symbolic.id, input]));
    for (const name of wanted) {
      const output = outputs.get(name);
      if (output === undefined) throw new Error(`Expected layer '${name}' to be part of the model's graph`);
      values.set(name, toTensorData(evaluate(output, known)));
    }
  });
  return values;
}

/** The value of a symbolic tensor: applies its layer to the values of that layer's inputs, each computed once. */
function evaluate(symbolic: tf.SymbolicTensor, known: Map<number, tf.Tensor>): tf.Tensor {
  const found = known.get(symbolic.id);
  if (found !== undefined) return found;
  const call = callOf(symbolic);
  if (call.inputTensors.includes(symbolic)) throw new Error(`Expected a value for the input '${symbolic.name}'`);
  const inputs = call.inputTensors.map(tensor => evaluate(tensor, known));
  const [only] = inputs;
  const applied = symbolic.sourceLayer.apply(inputs.length === 1 && only !== undefined ? only : inputs, {
    ...call.callArgs,
    training: false,
  }) as tf.Tensor | tf.Tensor[];
  const results = Array.isArray(applied) ? applied : [applied];
  call.outputTensors.forEach((tensor, index) => {
    const result = results[index];
    if (result !== undefined) known.set(tensor.id, result);
  });
  const value = known.get(symbolic.id);
  if (value === undefined) throw new Error(`Expected layer '${symbolic.sourceLayer.name}' to give '${symbolic.name}'`);
  return value;
}

function matches(layer: tf.layers.Layer, index: number, count: number, matcher: LayerMatcher): boolean {
  if (typeof matcher === 'string') return layer.name === matcher;
  if (typeof matcher === 'number') return index === (matcher < 0 ? count + matcher : matcher);
  if (typeof matcher === 'function') return matcher(layer, index);
  if (matcher instanceof RegExp) return layer.name.search(matcher) >= 0;
  if ('className' in matcher) return layer.getClassName() === matcher.className;
  return matcher.some(entry => matches(layer, index, count, entry));
}

function noneMatches(model: tf.LayersModel, matcher: LayerMatcher): Refusal {
  const names = model.layers.map(layer => layer.name);
  const near = typeof matcher === 'string' ? nearestNames(matcher, names) : names.slice(0, 5);
  return new Refusal('unknown-layer', `Expected a matcher that takes a layer but received ${describe(matcher)}`, {
    hint: `Some of the model's ${names.length} layers: ${near.map(name => `'${name}'`).join(', ')}.`,
  });
}

function describe(matcher: LayerMatcher): string {
  if (typeof matcher === 'function') return 'a predicate that takes none';
  return matcher instanceof RegExp ? String(matcher) : JSON.stringify(matcher);
}
