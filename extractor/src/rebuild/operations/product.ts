// Products of tensors.
import type * as tf from '@tensorflow/tfjs';
import type { Tfjs } from '../../tfjs.ts';
import { einsum, einsumShape, parseEquation } from '../einsum.ts';
import type { Shape } from '../layer-definition.ts';
import { broadcastShapes } from '../shapes.ts';
import type { Operation, Operations, OperationValues } from './operation.ts';

const matmul: Operation = {
  parameters: ['x1', 'x2', 'transpose_a', 'transpose_b'],
  shapes: values => {
    const turn = (shape: Shape, turned: boolean): Shape =>
      turned ? [...shape.slice(0, -2), shape.at(-1) ?? null, shape.at(-2) ?? null] : shape;
    const a = turn(values.tensor('x1').shape, values.boolean('transpose_a', false));
    const b = turn(values.tensor('x2').shape, values.boolean('transpose_b', false));
    const batch = broadcastShapes(a.slice(0, -2), b.slice(0, -2));
    return [[...batch, ...(a.length > 1 ? [a.at(-2) ?? null] : []), ...(b.length > 1 ? [b.at(-1) ?? null] : [])]];
  },
  compute: (tf, values) => {
    const [turnA, turnB] = [values.boolean('transpose_a', false), values.boolean('transpose_b', false)];
    return matrixProduct(tf, values.tensor('x1'), values.tensor('x2'), turnA, turnB);
  },
};

const einsteinSum: Operation = {
  parameters: ['x1', 'x2', 'x3'],
  shapes: values => {
    const shapes = operands(values).map(tensor => tensor.shape);
    return [
      einsumShape(
        parseEquation(
          values.text('subscripts', ''),
          shapes.map(shape => shape.length),
        ),
        shapes,
      ),
    ];
  },
  compute: (tf, values) => {
    const tensors = operands(values);
    if (tensors.length > 2) throw new Error('Expected an Einstein sum of at most two tensors');
    return einsum(
      tf,
      parseEquation(
        values.text('subscripts', ''),
        tensors.map(tensor => tensor.rank),
      ),
      tensors,
    );
  },
};

export const PRODUCT_OPERATIONS: Operations = { Matmul: matmul, Einsum: einsteinSum };

/** Vectors are a row on the left and a column on the right. */
function matrixProduct(tf: Tfjs, a: tf.Tensor, b: tf.Tensor, turnA: boolean, turnB: boolean): tf.Tensor {
  const left = a.rank === 1 ? a.expandDims(0) : a;
  const right = b.rank === 1 ? b.expandDims(1) : b;
  const y = tf.matMul(left, right, turnA, turnB);
  if (a.rank > 1 && b.rank > 1) return y;
  const dropped = [...(a.rank === 1 ? [y.rank - 2] : []), ...(b.rank === 1 ? [y.rank - 1] : [])];
  return y.squeeze(dropped);
}

function operands<T extends { readonly shape: Shape }>(values: OperationValues<T>): readonly T[] {
  return ['x1', 'x2', 'x3'].filter(name => values.has(name)).map(name => values.tensor(name));
}
