// Operations that reduce axes: sums, means, extremes, norms.
import type * as tf from '@tensorflow/tfjs';
import type { Tfjs } from '../../tfjs.ts';
import { fromStart } from '../layer-definition.ts';
import { normalize } from '../normalization.ts';
import { reducedShape } from '../shapes.ts';
import type { Operation, Operations } from './operation.ts';

type Reduce = (tf: Tfjs, x: tf.Tensor, axes: number[] | undefined, keep: boolean) => tf.Tensor;

export const REDUCTION_OPERATIONS: Operations = {
  Mean: reduction((tf, x, axes, keep) => tf.mean(x, axes, keep)),
  Sum: reduction((tf, x, axes, keep) => tf.sum(x, axes, keep)),
  Prod: reduction((tf, x, axes, keep) => tf.prod(x, axes, keep)),
  Max: reduction((tf, x, axes, keep) => tf.max(x, axes, keep)),
  Amax: reduction((tf, x, axes, keep) => tf.max(x, axes, keep)),
  Min: reduction((tf, x, axes, keep) => tf.min(x, axes, keep)),
  Amin: reduction((tf, x, axes, keep) => tf.min(x, axes, keep)),
  Var: reduction(variance),
  Std: reduction((tf, x, axes, keep) => tf.sqrt(variance(tf, x, axes, keep))),
  Logsumexp: reduction((tf, x, axes, keep) => tf.logSumExp(x, axes, keep)),
  Argmax: index((tf, x, axis) => tf.argMax(x, axis)),
  Argmin: index((tf, x, axis) => tf.argMin(x, axis)),
  // Divides by the Euclidean length.
  Normalize: {
    parameters: ['x', 'axis', 'order', 'epsilon'],
    shapes: values => [values.tensor('x').shape],
    compute: (tf, values) => {
      const x = values.tensor('x');
      if (values.number('order', 2) !== 2) throw new Error('Expected a norm of order 2');
      const axes = values.axes('axis') ?? [-1];
      return normalize(
        tf,
        x,
        axes.map(axis => fromStart(axis, x.rank)),
        values.number('epsilon', 1e-7),
      );
    },
  },
};

function reduction(reduce: Reduce): Operation {
  return {
    parameters: ['x', 'axis', 'keepdims'],
    shapes: values => [
      reducedShape(values.tensor('x').shape, values.axes('axis'), values.boolean('keepdims', false) ? 'keep' : 'drop'),
    ],
    compute: (tf, values) => {
      const axes = values.axes('axis');
      return reduce(
        tf,
        values.tensor('x'),
        axes === undefined ? undefined : [...axes],
        values.boolean('keepdims', false),
      );
    },
  };
}

function index(find: (tf: Tfjs, x: tf.Tensor, axis: number) => tf.Tensor): Operation {
  return {
    parameters: ['x', 'axis'],
    shapes: values => [reducedShape(values.tensor('x').shape, values.axes('axis'), 'drop')],
    compute: (tf, values) => {
      const x = values.tensor('x');
      return values.has('axis') ? find(tf, x, values.number('axis', 0)) : find(tf, x.flatten(), 0);
    },
  };
}

function variance(tf: Tfjs, x: tf.Tensor, axes: number[] | undefined, keep: boolean): tf.Tensor {
  return tf.mean(tf.square(tf.sub(x, tf.mean(x, axes, true))), axes, keep);
}
