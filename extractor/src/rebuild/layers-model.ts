// A layer graph as a tf.LayersModel: the layers that the wanted outputs need, with their weights or only their shapes.
import type * as tf from '@tensorflow/tfjs';
import { describeError, Refusal } from '../../../shared/src/errors.ts';
import type { GraphLayer, LayerCall, LayerGraph, LayerWeights, TensorRef } from '../layer-graph.ts';
import { tensorNames } from '../layer-names.ts';
import { tfjs } from '../tfjs.ts';
import { unknownLayer } from '../unknown-layer.ts';
import { countSlots, withoutRepeats } from './call-values.ts';
import { booleanIn } from './config-values.ts';
import { createKerasLayer } from './keras-layer.ts';
import { createRuntimeLayer } from './runtime-layers.ts';
import { supplyWeights } from './supply-weights.ts';
import { createTimeDistributed, innerLayer } from './time-distributed.ts';
import { requireSupportedCall, requireSupportedLayer } from './unsupported.ts';

export interface RebuildOptions {
  /** Fixes open axes: the shape of one sample for each of `graph.inputs`, undefined to leave one as it is. @default none */
  readonly inputShapes?: readonly (readonly number[] | undefined)[];
  /** Names as `tensorNames` gives them, in the order of the outputs. @default the graph's own outputs */
  readonly wanted?: readonly string[];
}

/**
 * The model from the graph's inputs to the wanted tensors. What no wanted tensor needs is not built: an unsupported
 * layer there does not matter. Weights without data give a model that can be described but not run.
 * @throws Refusal `model-unreadable`, naming the layer; `unknown-layer`
 */
export function rebuildLayersModel(
  graph: LayerGraph,
  weights: LayerWeights,
  options: RebuildOptions = {},
): tf.LayersModel {
  const outputs = options.wanted === undefined ? graph.outputs : requireTensors(graph, options.wanted);
  const builder = new ModelBuilder(graph, weights, options.inputShapes ?? []);
  // A whole model keeps all its inputs, a part of one those that it needs.
  const whole = options.wanted === undefined;
  const calls = neededCalls(graph, whole ? [...graph.inputs, ...outputs] : outputs);
  try {
    for (const call of calls) builder.build(call);
    const model = tfjs().model({
      inputs: graph.inputs.filter(({ call }) => calls.has(call)).map(tensor => builder.tensorOf(tensor)),
      outputs: withoutAliases(outputs.map(tensor => builder.tensorOf(tensor))),
      name: graph.name,
    });
    const named = [...tensorNames(graph)].filter(([, { call }]) => calls.has(call));
    TENSORS.set(model, new Map(named.map(([name, tensor]) => [name, builder.tensorOf(tensor)])));
    return model;
  } catch (error) {
    builder.disposeWeights();
    throw error;
  }
}

const TENSORS = new WeakMap<tf.LayersModel, ReadonlyMap<string, tf.SymbolicTensor>>();

/** The tensors of a rebuilt model by the names of the layer table; undefined for a model that was made otherwise. */
export function rebuiltTensors(model: tf.LayersModel): ReadonlyMap<string, tf.SymbolicTensor> | undefined {
  return TENSORS.get(model);
}

/** A nested model and its last layer give one tensor: TensorFlow.js wants every output of a model to be another one. */
function withoutAliases(tensors: readonly tf.SymbolicTensor[]): tf.SymbolicTensor[] {
  const identity = (tensor: tf.SymbolicTensor, index: number): tf.SymbolicTensor =>
    tfjs()
      .layers.activation({ activation: 'linear', name: `alias_${index}` })
      .apply(tensor) as tf.SymbolicTensor;
  return tensors.map((tensor, index) => (tensors.indexOf(tensor) < index ? identity(tensor, index) : tensor));
}

/** The tensors of some names, in order; refuses (`unknown-layer`) a name that the graph does not have. */
export function requireTensors(graph: LayerGraph, wanted: readonly string[]): readonly TensorRef[] {
  const names = tensorNames(graph);
  return wanted.map(name => {
    const tensor = names.get(name);
    if (tensor === undefined) throw unknownLayer(name, names.keys());
    return tensor;
  });
}

/** The calls that the tensors come from, in an order in which they can run. */
export function neededCalls(graph: LayerGraph, tensors: readonly TensorRef[]): ReadonlySet<number> {
  const needed = new Set<number>();
  const pending = tensors.map(tensor => tensor.call);
  for (let call = pending.pop(); call !== undefined; call = pending.pop()) {
    if (needed.has(call)) continue;
    needed.add(call);
    pending.push(...(graph.calls[call]?.inputs ?? []).map(tensor => tensor.call));
  }
  return new Set([...needed].sort((a, b) => a - b));
}

/** Grows a model call by call; a layer is made at its first one. */
class ModelBuilder {
  private readonly graph: LayerGraph;
  private readonly weights: LayerWeights;
  private readonly inputShapes: readonly (readonly number[] | undefined)[];
  private readonly layers = new Map<number, { readonly layer: tf.layers.Layer; readonly template: string }>();
  private readonly tensors: tf.SymbolicTensor[][] = [];
  /** Those that were refused while they were built, too. */
  private readonly made: tf.layers.Layer[] = [];

  constructor(graph: LayerGraph, weights: LayerWeights, inputShapes: readonly (readonly number[] | undefined)[]) {
    this.graph = graph;
    this.weights = weights;
    this.inputShapes = inputShapes;
  }

  tensorOf({ call, output }: TensorRef): tf.SymbolicTensor {
    const tensor = this.tensors[call]?.[output];
    if (tensor === undefined) throw new Error(`Expected call ${call} of the graph to give an output ${output}`);
    return tensor;
  }

  /** Of a model that comes to nothing: else every try would leave its weights in memory. */
  disposeWeights(): void {
    for (const weight of this.made.flatMap(layer => layer.weights)) weight.dispose();
  }

  build(index: number): void {
    const given = this.graph.calls[index];
    const layer = given === undefined ? undefined : this.graph.layers[given.layer];
    if (given === undefined || layer === undefined) throw new Error(`Expected the graph to have a call ${index}`);
    const call = withoutRepeats(given);
    requireSupportedLayer(layer);
    requireSupportedCall(layer, call);
    try {
      this.tensors[index] = call.inputs.length === 0 ? [this.input(layer, index)] : this.apply(layer, call);
    } catch (cause) {
      if (cause instanceof Refusal) throw cause;
      throw new Refusal(
        'model-unreadable',
        `Expected a layer that can be built but '${layer.name}' (${layer.className}) cannot: ${describeError(cause)}`,
        { cause },
      );
    }
  }

  private input(layer: GraphLayer, index: number): tf.SymbolicTensor {
    const fixed = this.inputShapes[this.graph.inputs.findIndex(tensor => tensor.call === index)];
    const declared = layer.config.batch_shape as readonly (number | null)[];
    const batchShape = fixed === undefined ? [...declared] : [declared[0] ?? null, ...fixed];
    return withValidName(layer.name, name => {
      const tensor = tfjs().input({ batchShape, name, dtype: 'float32' });
      tensor.sourceLayer.name = layer.name;
      return tensor;
    });
  }

  private apply(layer: GraphLayer, call: LayerCall): tf.SymbolicTensor[] {
    const inputs = call.inputs.map(tensor => this.tensorOf(tensor));
    const template = JSON.stringify([call.args, call.kwargs]);
    const known = this.layers.get(call.layer);
    if (known !== undefined && known.template !== template) {
      throw new Refusal(
        'model-unreadable',
        `Expected a layer that is called in one way but '${layer.name}' (${layer.className}) is called in several`,
        { hint: 'Take layers in front of it.' },
      );
    }
    const made = known?.layer ?? createLayer(layer, call, inputs);
    if (known === undefined) this.made.push(made);
    const [first] = inputs;
    const apply = (): tf.SymbolicTensor | tf.SymbolicTensor[] =>
      made.apply(inputs.length === 1 && first !== undefined ? first : inputs) as
        | tf.SymbolicTensor
        | tf.SymbolicTensor[];
    const named = (): tf.SymbolicTensor | tf.SymbolicTensor[] =>
      withValidName(layer.name, name => {
        made.name = name;
        try {
          return apply();
        } finally {
          made.name = layer.name;
        }
      });
    const result = known === undefined ? supplyWeights(made, this.weights.get(layer.name) ?? [], named) : named();
    this.layers.set(call.layer, { layer: made, template });
    return Array.isArray(result) ? result : [result];
  }
}

function createLayer(layer: GraphLayer, call: LayerCall, inputs: readonly tf.SymbolicTensor[]): tf.layers.Layer {
  const trainable = booleanIn(layer.config, 'trainable', true);
  const shapes = inputs.map(tensor => tensor.shape);
  const inner = innerLayer(layer);
  if (inner !== undefined) return createTimeDistributed(inner, layer.name, trainable, shapes[0] ?? []);
  // TensorFlow.js' own layers cannot be told to take one tensor twice.
  const own = countSlots(call) === inputs.length ? createRuntimeLayer(layer, trainable, shapes) : undefined;
  return (
    own ??
    createKerasLayer(layer.name, trainable, {
      className: layer.className,
      config: layer.config,
      dialect: layer.dialect,
      args: call.args,
      kwargs: call.kwargs,
    })
  );
}

/** TensorFlow.js refuses tensors of some names that Keras allows, such as `conv (1)`: it sees another one meanwhile. */
function withValidName<T>(name: string, use: (valid: string) => T): T {
  return use(name.replace(/[^A-Za-z0-9._/-]/g, '_').replace(/^[^A-Za-z0-9]/, 'x'));
}
