// Layers that join several tensors, where TensorFlow.js' own ones do not: one tensor twice, Subtract, Dot.
import type * as tf from '@tensorflow/tfjs';
import { fillSlots } from './call-values.ts';
import { booleanIn, numberIn, numbersOf } from './config-values.ts';
import {
  fromStart,
  type LayerCallContext,
  type LayerDefinition,
  type LayerDefinitions,
  type LayerSettings,
  type Shape,
} from './layer-definition.ts';
import { normalize } from './normalization.ts';
import { broadcastShapes } from './shapes.ts';

export const MERGING_LAYERS: LayerDefinitions = {
  Add: elementwise((a, b) => a.add(b)),
  Subtract: elementwise((a, b) => a.sub(b)),
  Multiply: elementwise((a, b) => a.mul(b)),
  Average: elementwise(
    (a, b) => a.add(b),
    (sum, count) => sum.div(count),
  ),
  Maximum: elementwise((a, b) => a.maximum(b)),
  Minimum: elementwise((a, b) => a.minimum(b)),
  Concatenate: {
    outputShapes: (settings, inputs) => [
      concatenated(mergedOf(settings, inputs), numberIn(settings.config, 'axis', -1)),
    ],
    call: context => {
      const tensors = mergedOf(context.settings, context.inputs);
      return context.tf.concat([...tensors], numberIn(context.settings.config, 'axis', -1));
    },
  },
  Dot: dot(),
  // InceptionResNetV2's own: inputs[0] + scale · inputs[1].
  CustomScaleLayer: scaledSum(),
  // tf_keras registers it, and Keras writes registered classes under their package.
  'Custom>CustomScaleLayer': scaledSum(),
};

/** The shape of tensors laid end to end. */
export function concatenated(shapes: readonly Shape[], axis: number): Shape {
  const [first = []] = shapes;
  const place = fromStart(axis, first.length);
  return first.map((_, index) => {
    const sizes = shapes.map(shape => shape[index] ?? null);
    if (index !== place) return sizes.find(size => size !== null) ?? null;
    return sizes.reduce<number | null>((sum, size) => (sum === null || size === null ? null : sum + size), 0);
  });
}

function elementwise(
  join: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
  finish: (joined: tf.Tensor, count: number) => tf.Tensor = joined => joined,
): LayerDefinition {
  return {
    outputShapes: (settings, inputs) => {
      const shapes = mergedOf(settings, inputs);
      const rank = Math.max(...shapes.map(shape => shape.length));
      return [shapes.map(shape => insertAxes(shape, rank)).reduce(broadcastShapes)];
    },
    call: context => {
      const tensors = mergedOf(context.settings, context.inputs);
      const rank = Math.max(...tensors.map(tensor => tensor.rank));
      const aligned = tensors.map(tensor =>
        tensor.rank === rank ? tensor : tensor.reshape(insertAxes(tensor.shape, rank).map(size => size ?? 1)),
      );
      return finish(aligned.reduce(join), tensors.length);
    },
  };
}

/** Keras puts the missing axes behind the batch axis. */
function insertAxes(shape: Shape, rank: number): Shape {
  const [batch = null, ...rest] = shape;
  return [batch, ...Array.from({ length: rank - shape.length }, () => 1), ...rest];
}

function scaledSum(): LayerDefinition {
  return {
    outputShapes: (settings, inputs) => [mergedOf(settings, inputs).reduce(broadcastShapes)],
    call: ({ tf, settings, inputs }) => {
      const [residual, branch] = mergedOf(settings, inputs);
      if (residual === undefined || branch === undefined) throw new Error('Expected two tensors');
      return tf.add(residual, tf.mul(branch, numberIn(settings.config, 'scale', 1)));
    },
  };
}

/** A product of two tensors along one axis of each, for each sample. */
function dot(): LayerDefinition {
  const axesOf = (settings: LayerSettings, ranks: readonly number[]): readonly [number, number] => {
    const [first = -1, second = first] = numbersOf(settings.config.axes) ?? [];
    return [fromStart(first, ranks[0] ?? 0), fromStart(second, ranks[1] ?? 0)];
  };
  return {
    outputShapes: (settings, inputs) => {
      const [a = [], b = []] = mergedOf(settings, inputs);
      const [left, right] = axesOf(settings, [a.length, b.length]);
      const shape = [...a.filter((_, axis) => axis !== left), ...b.slice(1).filter((_, axis) => axis + 1 !== right)];
      return [shape.length === 1 ? [...shape, 1] : shape];
    },
    call: context => {
      const { tf, settings } = context;
      const [x, y] = mergedOf(settings, context.inputs);
      if (x === undefined || y === undefined) throw new Error('Expected two tensors');
      const [left, right] = axesOf(settings, [x.rank, y.rank]);
      const unit = booleanIn(settings.config, 'normalize', false);
      const [a, b] = unit ? [normalize(tf, x, [left], 1e-12), normalize(tf, y, [right], 1e-12)] : [x, y];
      return dotAlong(context, a, b, left, right);
    },
  };
}

function dotAlong({ tf }: LayerCallContext, a: tf.Tensor, b: tf.Tensor, left: number, right: number): tf.Tensor {
  const batch = a.shape[0] ?? 1;
  const inner = a.shape[left] ?? 1;
  const free = (tensor: tf.Tensor, axis: number): number[] =>
    tensor.shape.map((_, index) => index).filter(index => index !== 0 && index !== axis);
  const rows = free(a, left);
  const columns = free(b, right);
  const x = tf.transpose(a, [0, ...rows, left]).reshape([batch, -1, inner]);
  const y = tf.transpose(b, [0, right, ...columns]).reshape([batch, inner, -1]);
  const sizes = [...rows.map(axis => a.shape[axis] ?? 1), ...columns.map(axis => b.shape[axis] ?? 1)];
  return tf.matMul(x, y).reshape([batch, ...(sizes.length === 0 ? [1] : sizes)]);
}

/** The tensors in the order of the call, where one may stand several times. */
export function mergedOf<T extends object>(settings: LayerSettings, distinct: readonly T[]): readonly T[] {
  const found: T[] = [];
  fillSlots(settings.args, input => {
    const tensor = distinct[input];
    if (tensor !== undefined) found.push(tensor);
    return null;
  });
  return found;
}
