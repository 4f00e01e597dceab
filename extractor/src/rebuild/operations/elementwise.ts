// Operations value by value: arithmetic, comparisons, activations.
import type * as tf from '@tensorflow/tfjs';
import type { Tfjs } from '../../tfjs.ts';
import { activationOf } from '../activations.ts';
import { broadcastShapes } from '../shapes.ts';
import type { Operation, Operations } from './operation.ts';

type Unary = (tf: Tfjs, x: tf.Tensor) => tf.Tensor;
type Binary = (tf: Tfjs, a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

const BINARY: Readonly<Record<string, Binary>> = {
  Add: (tf, a, b) => tf.add(a, b),
  Subtract: (tf, a, b) => tf.sub(a, b),
  Multiply: (tf, a, b) => tf.mul(a, b),
  Divide: divide,
  TrueDivide: divide,
  FloorDivide: (tf, a, b) => tf.floor(divide(tf, a, b)),
  Mod: (tf, a, b) => tf.mod(a, b),
  Power: (tf, a, b) => tf.pow(a, b),
  Maximum: (tf, a, b) => tf.maximum(a, b),
  Minimum: (tf, a, b) => tf.minimum(a, b),
  SquaredDifference: (tf, a, b) => tf.squaredDifference(a, b),
  Greater: (tf, a, b) => tf.greater(a, b),
  GreaterEqual: (tf, a, b) => tf.greaterEqual(a, b),
  Less: (tf, a, b) => tf.less(a, b),
  LessEqual: (tf, a, b) => tf.lessEqual(a, b),
  Equal: (tf, a, b) => tf.equal(a, b),
  NotEqual: (tf, a, b) => tf.notEqual(a, b),
  LogicalAnd: (tf, a, b) => tf.logicalAnd(tf.cast(a, 'bool'), tf.cast(b, 'bool')),
  LogicalOr: (tf, a, b) => tf.logicalOr(tf.cast(a, 'bool'), tf.cast(b, 'bool')),
};

const UNARY: Readonly<Record<string, Unary>> = {
  Abs: (tf, x) => tf.abs(x),
  Absolute: (tf, x) => tf.abs(x),
  Negative: (tf, x) => tf.neg(x),
  Sqrt: (tf, x) => tf.sqrt(x),
  Rsqrt: (tf, x) => tf.rsqrt(x),
  Square: (tf, x) => tf.square(x),
  Reciprocal: (tf, x) => tf.reciprocal(x),
  Exp: (tf, x) => tf.exp(x),
  Expm1: (tf, x) => tf.expm1(x),
  Log: (tf, x) => tf.log(x),
  Log1p: (tf, x) => tf.log1p(x),
  Sin: (tf, x) => tf.sin(x),
  Cos: (tf, x) => tf.cos(x),
  Erf: (tf, x) => tf.erf(x),
  Floor: (tf, x) => tf.floor(x),
  Ceil: (tf, x) => tf.ceil(x),
  Round: (tf, x) => tf.round(x),
  Sign: (tf, x) => tf.sign(x),
  LogicalNot: (tf, x) => tf.logicalNot(tf.cast(x, 'bool')),
  ZerosLike: (tf, x) => tf.zerosLike(x),
  OnesLike: (tf, x) => tf.onesLike(x),
  Identity: (_, x) => x,
  Copy: (_, x) => x,
  StopGradient: (_, x) => x,
};

/** Classes of keras.ops.nn by the activation that they apply; settings such as `negative_slope` are arguments. */
const ACTIVATIONS: Readonly<Record<string, string>> = {
  Relu: 'relu',
  Relu6: 'relu6',
  LeakyRelu: 'leaky_relu',
  Elu: 'elu',
  Selu: 'selu',
  Celu: 'celu',
  Gelu: 'gelu',
  Silu: 'silu',
  HardSilu: 'hard_silu',
  HardSwish: 'hard_silu',
  Sigmoid: 'sigmoid',
  HardSigmoid: 'hard_sigmoid',
  LogSigmoid: 'log_sigmoid',
  Softmax: 'softmax',
  LogSoftmax: 'log_softmax',
  Softplus: 'softplus',
  Softsign: 'softsign',
  SoftShrink: 'soft_shrink',
  HardShrink: 'hard_shrink',
  TanhShrink: 'tanh_shrink',
  HardTanh: 'hard_tanh',
  Threshold: 'threshold',
  Tanh: 'tanh',
  Mish: 'mish',
  Squareplus: 'squareplus',
  SparsePlus: 'sparse_plus',
  SparseSigmoid: 'sparse_sigmoid',
};

export const ELEMENTWISE_OPERATIONS: Operations = {
  ...mapRecord(BINARY, binary),
  ...mapRecord(UNARY, unary),
  ...mapRecord(ACTIVATIONS, activation),
  Clip: {
    parameters: ['x', 'x_min', 'x_max'],
    shapes: values => [values.tensor('x').shape],
    compute: (tf, values) => tf.minimum(tf.maximum(values.tensor('x'), values.tensor('x_min')), values.tensor('x_max')),
  },
  Where: {
    parameters: ['condition', 'x1', 'x2'],
    shapes: values => [['condition', 'x1', 'x2'].map(name => values.tensor(name).shape).reduce(broadcastShapes)],
    compute: (tf, values) =>
      tf.where(tf.cast(values.tensor('condition'), 'bool'), values.tensor('x1'), values.tensor('x2')),
  },
  Cast: {
    parameters: ['x', 'dtype'],
    shapes: values => [values.tensor('x').shape],
    compute: (tf, values) => tf.cast(values.tensor('x'), castType(values.text('dtype', 'float32'))),
  },
};

function binary(compute: Binary): Operation {
  return {
    parameters: ['x1', 'x2'],
    shapes: values => [broadcastShapes(values.tensor('x1').shape, values.tensor('x2').shape)],
    compute: (tf, values) => compute(tf, values.tensor('x1'), values.tensor('x2')),
  };
}

function unary(compute: Unary): Operation {
  return {
    parameters: ['x'],
    shapes: values => [values.tensor('x').shape],
    compute: (tf, values) => compute(tf, values.tensor('x')),
  };
}

function activation(name: string): Operation {
  return {
    parameters: ['x'],
    shapes: values => [values.tensor('x').shape],
    compute: (tf, values) => {
      const known = activationOf({ class_name: name, config: values.settings() }, 3);
      if (known === undefined) throw new Error(`Expected an activation but received '${name}'`);
      return known.apply(tf, values.tensor('x'));
    },
  };
}

/** Whole numbers would be divided with rest. */
function divide(tf: Tfjs, a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return tf.div(tf.cast(a, 'float32'), tf.cast(b, 'float32'));
}

/** The runtimes know three types of numbers; half precision is computed in float32. */
function castType(dtype: string): 'float32' | 'int32' | 'bool' {
  if (dtype === 'bool') return 'bool';
  return /int/.test(dtype) ? 'int32' : 'float32';
}

function mapRecord<A, B>(record: Readonly<Record<string, A>>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
