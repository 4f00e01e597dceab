// Where each tensor of an ONNX graph has its channels: the format doesn't say, its operators do. For reader and engine.
import type { OnnxGraph, OnnxNode } from './onnx-graph.ts';
import { imageLayout } from './onnx-layout.ts';

/** Axis 1, behind the batch, or the last one. */
export type ChannelAxis = 'first' | 'last';

/** Operators whose output has its channels in axis 1, by definition. */
const CHANNELS_FIRST = words(`
  AveragePool BatchNormalization Col2Im Conv ConvInteger ConvTranspose DeformConv DepthToSpace FusedConv
  GlobalAveragePool GlobalLpPool GlobalMaxPool GridSample GroupNormalization InstanceNormalization LRN LpPool MaxPool
  MaxUnpool QLinearConv SpaceToDepth`);

/** Operators that leave every axis where it is: their output lies as their inputs do. */
const SAME_AXES = words(`
  Abs Acos Acosh Add And Asin Asinh Atan Atanh BiasGelu BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike
  Ceil Celu Clip Concat Cos Cosh CumSum DequantizeLinear Div Dropout DynamicQuantizeLinear Elu Equal Erf Exp FastGelu
  Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish Hardmax Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log
  LogSoftmax LpNormalization Max Mean MeanVarianceNormalization Min Mish Mod Mul Neg Not Or PRelu Pad Pow QLinearAdd
  QLinearLeakyRelu QLinearMul QLinearSigmoid QuantizeLinear QuickGelu Reciprocal Relu Resize Round Selu Shrink Sigmoid
  Sign Sin Sinh Slice Softmax Softplus Softsign Split Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu TopK Upsample Where
  Xor`);

/** Operators that leave every axis where it is as long as `keepdims` is 1, its default. */
const REDUCTIONS = words(`
  ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
  ReduceSumSquare`);

const NORMALIZATIONS = words(
  'LayerNormalization RMSNormalization SimplifiedLayerNormalization SkipLayerNormalization SkipSimplifiedLayerNormalization',
);

const PRODUCTS = words('MatMul MatMulInteger MatMulNBits DynamicQuantizeMatMul MatMulIntegerToFloat');
/** ONNX Runtime's own operators, which give [batch, tokens, channels]. */
const ATTENTION = words('EmbedLayerNormalization GroupQueryAttention MultiHeadAttention');

/** By the name of the tensor; one that isn't there has its channels in an axis that nobody knows, or has none. */
export function channelAxes(graph: OnnxGraph): ReadonlyMap<string, ChannelAxis> {
  const axes = new Map<string, ChannelAxis>();
  for (const input of graph.inputs) {
    const image = imageLayout(graph, input);
    if (image !== undefined) axes.set(input.name, image.layout === 'nchw' ? 'first' : 'last');
  }
  const constants = new Set([...graph.weights.map(weight => weight.name), ...graph.sparse]);
  // Nodes stand in an order in which they can run.
  for (const node of graph.nodes) {
    const data = node.inputs.filter(input => !constants.has(input));
    const taken = data.map(input => axes.get(input));
    const axis = axisAfter(node, taken, constants);
    for (const output of node.outputs) {
      // What is made of weights alone is a weight: it lies as what it is broadcast to.
      if (data.length === 0) constants.add(output);
      else if (axis !== undefined) axes.set(output, axis);
    }
  }
  return axes;
}

/** Undefined for operators that make new axes, such as Reshape, and for those that nobody described here. */
function axisAfter(
  node: OnnxNode,
  taken: readonly (ChannelAxis | undefined)[],
  constants: ReadonlySet<string>,
): ChannelAxis | undefined {
  const { opType, integers } = node;
  if (CHANNELS_FIRST.has(opType)) return 'first';
  if (opType === 'Transpose') return permuted(taken[0], integers.get('perm') ?? []);
  if (SAME_AXES.has(opType)) return agreed(taken);
  if (REDUCTIONS.has(opType)) {
    const [keepdims = 0] = integers.get('keepdims') ?? [1];
    return keepdims === 1 ? agreed(taken) : undefined;
  }
  // Where nothing else is known, what a dense layer makes, or what is normalized, are channels: the tokens of a transformer.
  return isOverLastAxis(node, constants) ? (agreed(taken) ?? 'last') : undefined;
}

/** Tensors that go together have their axes in the same places, so a known one speaks for the others. */
function agreed(taken: readonly (ChannelAxis | undefined)[]): ChannelAxis | undefined {
  const known = new Set(taken.filter(axis => axis !== undefined));
  return known.size === 1 ? [...known][0] : undefined;
}

/** @param perm for each new axis the old one; empty turns all around, the batch too */
function permuted(axis: ChannelAxis | undefined, perm: readonly number[]): ChannelAxis | undefined {
  if (axis === undefined || perm.length === 0) return undefined;
  const last = perm.length - 1;
  const moved = perm.indexOf(axis === 'first' ? 1 : last);
  if (moved === last) return 'last';
  return moved === 1 ? 'first' : undefined;
}

/** A product with a weight, attention, or a normalization of the last axis alone. */
function isOverLastAxis({ opType, inputs, integers }: OnnxNode, constants: ReadonlySet<string>): boolean {
  if (PRODUCTS.has(opType)) return constants.has(inputs[1] ?? '');
  if (ATTENTION.has(opType)) return true;
  const [axis] = integers.get('axis') ?? [-1];
  return NORMALIZATIONS.has(opType) && axis === -1;
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}
