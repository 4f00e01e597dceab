// TensorFlow's functions as Keras 2 names them in TFOpLambda layers, by the operation that they are.

/** An operation with its parameters in the order of TensorFlow's signature, as `ours` or `ours=theirs`. */
interface TensorFlowFunction {
  readonly operation: string;
  readonly parameters: readonly string[];
  /** Arguments that the function's name stands for. */
  readonly fixed?: Readonly<Record<string, string | number | boolean>>;
}

const BINARY: Readonly<Record<string, string>> = {
  add: 'Add',
  subtract: 'Subtract',
  sub: 'Subtract',
  multiply: 'Multiply',
  mul: 'Multiply',
  divide: 'Divide',
  truediv: 'Divide',
  divide_no_nan: 'Divide',
  floordiv: 'FloorDivide',
  floor_div: 'FloorDivide',
  floormod: 'Mod',
  mod: 'Mod',
  pow: 'Power',
  maximum: 'Maximum',
  minimum: 'Minimum',
  squared_difference: 'SquaredDifference',
  greater: 'Greater',
  greater_equal: 'GreaterEqual',
  less: 'Less',
  less_equal: 'LessEqual',
  equal: 'Equal',
  not_equal: 'NotEqual',
  logical_and: 'LogicalAnd',
  logical_or: 'LogicalOr',
};

const UNARY: Readonly<Record<string, string>> = {
  abs: 'Abs',
  negative: 'Negative',
  sqrt: 'Sqrt',
  rsqrt: 'Rsqrt',
  square: 'Square',
  reciprocal: 'Reciprocal',
  exp: 'Exp',
  expm1: 'Expm1',
  log: 'Log',
  log1p: 'Log1p',
  sin: 'Sin',
  cos: 'Cos',
  erf: 'Erf',
  floor: 'Floor',
  ceil: 'Ceil',
  round: 'Round',
  sign: 'Sign',
  logical_not: 'LogicalNot',
  zeros_like: 'ZerosLike',
  ones_like: 'OnesLike',
  identity: 'Identity',
  stop_gradient: 'StopGradient',
  shape: 'Shape',
  relu: 'Relu',
  relu6: 'Relu6',
  elu: 'Elu',
  selu: 'Selu',
  sigmoid: 'Sigmoid',
  log_sigmoid: 'LogSigmoid',
  softplus: 'Softplus',
  softsign: 'Softsign',
  tanh: 'Tanh',
  silu: 'Silu',
  swish: 'Silu',
};

const REDUCTIONS: Readonly<Record<string, string>> = {
  reduce_mean: 'Mean',
  reduce_sum: 'Sum',
  reduce_prod: 'Prod',
  reduce_max: 'Max',
  reduce_min: 'Min',
  reduce_variance: 'Var',
  reduce_std: 'Std',
  reduce_logsumexp: 'Logsumexp',
};

const OTHERS: Readonly<Record<string, TensorFlowFunction>> = {
  clip_by_value: { operation: 'Clip', parameters: ['x=t', 'x_min=clip_value_min', 'x_max=clip_value_max'] },
  where: { operation: 'Where', parameters: ['condition', 'x1=x', 'x2=y'] },
  cast: { operation: 'Cast', parameters: ['x', 'dtype'] },
  leaky_relu: {
    operation: 'LeakyRelu',
    parameters: ['x=features', 'negative_slope=alpha'],
    fixed: { negative_slope: 0.2 },
  },
  gelu: { operation: 'Gelu', parameters: ['x=features', 'approximate'], fixed: { approximate: false } },
  softmax: { operation: 'Softmax', parameters: ['x=logits', 'axis'] },
  log_softmax: { operation: 'LogSoftmax', parameters: ['x=logits', 'axis'] },
  bias_add: { operation: 'Add', parameters: ['x1=value', 'x2=bias'] },
  l2_normalize: { operation: 'Normalize', parameters: ['x', 'axis', 'epsilon'], fixed: { epsilon: 1e-6 } },
  argmax: { operation: 'Argmax', parameters: ['x=input', 'axis'], fixed: { axis: 0 } },
  argmin: { operation: 'Argmin', parameters: ['x=input', 'axis'], fixed: { axis: 0 } },
  reshape: { operation: 'Reshape', parameters: ['x=tensor', 'newshape=shape'] },
  transpose: { operation: 'Transpose', parameters: ['x=a', 'axes=perm'] },
  expand_dims: { operation: 'ExpandDims', parameters: ['x=input', 'axis'] },
  squeeze: { operation: 'Squeeze', parameters: ['x=input', 'axis'] },
  concat: { operation: 'Concatenate', parameters: ['xs=values', 'axis'] },
  stack: { operation: 'Stack', parameters: ['x=values', 'axis'] },
  unstack: { operation: 'Unstack', parameters: ['x=value', 'num', 'axis'] },
  split: { operation: 'Split', parameters: ['x=value', 'sizes=num_or_size_splits', 'axis'] },
  tile: { operation: 'Tile', parameters: ['x=input', 'repeats=multiples'] },
  repeat: { operation: 'Repeat', parameters: ['x=input', 'repeats', 'axis'] },
  pad: { operation: 'Pad', parameters: ['x=tensor', 'pad_width=paddings', 'mode', 'constant_values'] },
  reverse: { operation: 'Flip', parameters: ['x=tensor', 'axis'] },
  broadcast_to: { operation: 'BroadcastTo', parameters: ['x=input', 'shape'] },
  gather: { operation: 'Take', parameters: ['x=params', 'indices', 'validate_indices', 'axis'] },
  matmul: { operation: 'Matmul', parameters: ['x1=a', 'x2=b', 'transpose_a', 'transpose_b'] },
  einsum: { operation: 'Einsum', parameters: ['subscripts=equation', 'x1', 'x2'] },
  'image.resize': {
    operation: 'Resize',
    parameters: ['images', 'size', 'interpolation=method', 'preserve_aspect_ratio', 'antialias'],
  },
  'image.resize_bilinear': {
    operation: 'ResizeV1',
    parameters: ['images', 'size', 'align_corners', 'name', 'half_pixel_centers'],
  },
  'image.resize_nearest_neighbor': {
    operation: 'ResizeV1',
    parameters: ['images', 'size', 'align_corners', 'name', 'half_pixel_centers'],
    fixed: { interpolation: 'nearest' },
  },
  max_pool2d: { operation: 'MaxPool', parameters: ['inputs=input', 'pool_size=ksize', 'strides', 'padding'] },
  max_pool: { operation: 'MaxPool', parameters: ['inputs=input', 'pool_size=ksize', 'strides', 'padding'] },
  avg_pool2d: { operation: 'AveragePool', parameters: ['inputs=input', 'pool_size=ksize', 'strides', 'padding'] },
  avg_pool: { operation: 'AveragePool', parameters: ['inputs=input', 'pool_size=ksize', 'strides', 'padding'] },
  depth_to_space: { operation: 'DepthToSpace', parameters: ['x=input', 'block_size'] },
};

/**
 * @param name as a TFOpLambda's config holds it, such as `math.multiply`, `nn.relu6` or `compat.v1.transpose`
 */
export function tensorFlowFunction(name: string): TensorFlowFunction | undefined {
  const bare = name.replace(/^compat\.v1\./, '').replace(/^(math|nn|linalg|__operators__)\./, '');
  const found = OTHERS[bare];
  if (found !== undefined) return found;
  const binary = BINARY[bare];
  if (binary !== undefined) return { operation: binary, parameters: ['x1=x', 'x2=y'] };
  const unary = UNARY[bare];
  if (unary !== undefined) return { operation: unary, parameters: ['x'] };
  const reduction = REDUCTIONS[bare];
  if (reduction === undefined) return undefined;
  return { operation: reduction, parameters: ['x=input_tensor', 'axis', 'keepdims'] };
}

/** Operations of graphs, as TensorFlowOpLayer of Keras 2.2 and 2.3 holds them: arguments are inputs by position. */
const GRAPH_OPERATIONS: Readonly<Record<string, string>> = {
  AddV2: 'add',
  BiasAdd: 'add',
  Sub: 'subtract',
  Mul: 'multiply',
  RealDiv: 'truediv',
  FloorDiv: 'floordiv',
  Neg: 'negative',
  ConcatV2: 'concat',
  Mean: 'reduce_mean',
  Sum: 'reduce_sum',
  Max: 'reduce_max',
  Min: 'reduce_min',
  Relu6: 'relu6',
  ExpandDims: 'expand_dims',
  ClipByValue: 'clip_by_value',
};

/** @param op such as `Mul` */
export function graphOperation(op: string): TensorFlowFunction | undefined {
  return tensorFlowFunction(GRAPH_OPERATIONS[op] ?? op.toLowerCase());
}
