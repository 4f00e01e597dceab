// A Keras model in memory, whatever file it came from: layers, configs, weights and edges. Readers in models/ make it,
// `rebuild/` turns it into a tf.LayersModel, a compiler into other formats. Nested models are inlined: their layers
// stand here under a path, so that any of them can be taken.

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

/** One output of one call. */
export interface TensorRef {
  /** Position in `LayerGraph.calls`. */
  readonly call: number;
  /** Position among the call's outputs. */
  readonly output: number;
}

/** A layer with its settings; it may be called several times (shared) and then has its weights once. */
export interface GraphLayer {
  /** Path through nested models: `backbone/conv5`. Unique. */
  readonly name: string;
  /** Keras' class name, such as Conv2D; for an operation written as a layer the operation, such as `keras.ops.Add`. */
  readonly className: string;
  /** In the one dialect of keras/layer-config.ts: Keras 3's field names, plain values instead of serialised objects. */
  readonly config: JsonObject;
  /** Which Keras wrote it: a few defaults and activations of one name mean another thing in the other. */
  readonly dialect: KerasDialect;
  /** An input that a Sequential makes for itself: no layer to its users. */
  readonly hidden?: true;
}

/** Major version of Keras: 2 (also tf_keras, and TensorFlow.js) or 3. */
export type KerasDialect = 2 | 3;

/** An argument of a call: the i-th tensor of `LayerCall.inputs`, a constant, or a list or record of both. */
export type CallValue = InputSlot | Json | readonly CallValue[] | { readonly [name: string]: CallValue };
export interface InputSlot {
  readonly $input: number;
}

/** One application of a layer to tensors. */
export interface LayerCall {
  /** Position in `LayerGraph.layers`. */
  readonly layer: number;
  /** All tensors that it takes, in the order in which they stand in `args` and `kwargs`. */
  readonly inputs: readonly TensorRef[];
  /** As Keras calls the layer: a plain layer has one argument, `{ $input: 0 }` or a list of them for merging layers. */
  readonly args: readonly CallValue[];
  readonly kwargs: { readonly [name: string]: CallValue };
  /** Number of tensors that it gives. */
  readonly outputs: number;
}

export interface LayerGraph {
  /** In the order of the model; a nested model's layers stand where the nested model stands. */
  readonly layers: readonly GraphLayer[];
  /** In an order in which they can run. Each input is a call of an `InputLayer` without inputs. */
  readonly calls: readonly LayerCall[];
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly TensorRef[];
  /** Nested models by path, with the tensors that a call of one gives: they can be taken like layers. */
  readonly nested: readonly NestedModel[];
  /** The model's own name in its file. */
  readonly name: string;
}

export interface NestedModel {
  /** Path, such as `backbone`. */
  readonly name: string;
  readonly className: string;
  /** One entry per call of the nested model. */
  readonly outputs: readonly (readonly TensorRef[])[];
}

/** One weight of a layer. */
export interface LayerWeight {
  /** As the file calls it, for messages. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Row-major, already float32 (integers stay below 2^24). Undefined where only shapes were read. */
  readonly data: Float32Array | undefined;
}

/**
 * Weights by the layer's path, each in the order of Keras' own `layer.weights`: trainable ones, then the others, as for
 * a layer that is not frozen (BatchNormalization: gamma, beta, moving mean, moving variance; absent ones left out).
 */
export type LayerWeights = ReadonlyMap<string, readonly LayerWeight[]>;
