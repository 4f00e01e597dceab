// What this project knows of a layer class that TensorFlow.js lacks: weights, shapes and arithmetic. One file per family.
import type * as tf from '@tensorflow/tfjs';
import type { JsonObject, KerasDialect } from '../layer-graph.ts';
import type { Tfjs } from '../tfjs.ts';
import type { CallTemplate } from './call-values.ts';

/** With the batch axis; null for an axis that is open. */
export type Shape = readonly (number | null)[];

/** A layer with its call: all that decides what it computes, but for weights and inputs. */
export interface LayerSettings extends CallTemplate {
  readonly className: string;
  readonly config: JsonObject;
  readonly dialect: KerasDialect;
}

export interface LayerCallContext {
  readonly tf: Tfjs;
  readonly settings: LayerSettings;
  /** The distinct tensors of the call, by slot. */
  readonly inputs: readonly tf.Tensor[];
  /** In the order of `weightNames`. */
  readonly weights: readonly tf.Tensor[];
  readonly training: boolean;
  /** Changes a weight that is not trained but kept track of, such as a moving mean. */
  readonly assign: (weight: number, value: tf.Tensor) => void;
}

export interface LayerDefinition {
  /** Names of Keras' variables in the order of `layer.weights`. @default none */
  readonly weightNames?: (settings: LayerSettings) => readonly string[];
  /** Their shapes, in the same order. */
  readonly weightShapes?: (settings: LayerSettings, inputs: readonly Shape[]) => readonly (readonly number[])[];
  /** Those that training does not change. @default none */
  readonly frozen?: readonly string[];
  /** One shape per output. */
  readonly outputShapes: (settings: LayerSettings, inputs: readonly Shape[]) => readonly Shape[];
  /** Runs inside tf.tidy. */
  readonly call: (context: LayerCallContext) => tf.Tensor | readonly tf.Tensor[];
  /** What of these settings cannot be computed, as "Expected … but received …" would name it. @default nothing */
  readonly unsupported?: (settings: LayerSettings) => string | undefined;
}

export type LayerDefinitions = Readonly<Record<string, LayerDefinition>>;

/** The only input of a layer that takes one. */
export function onlyInput<T>(inputs: readonly T[]): T {
  const [input] = inputs;
  if (input === undefined) throw new Error('Expected one input tensor but received none');
  return input;
}

/** The size of an axis that must be known before the model runs. */
export function requireAxis(shape: Shape, axis: number): number {
  const size = shape.at(axis);
  if (typeof size === 'number') return size;
  throw new Error(`Expected a fixed size for axis ${axis} of [${shape.map(known => known ?? '?').join(', ')}]`);
}

/** An axis counted from the start. */
export function fromStart(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
