// Convolutions that TensorFlow.js' own layers lack or get wrong: groups, causal padding, dilated depthwise, one axis, output padding.
import type * as tf from '@tensorflow/tfjs';
import type { JsonObject } from '../layer-graph.ts';
import type { Tfjs } from '../tfjs.ts';
import { activationOf } from './activations.ts';
import { booleanIn, numberIn, perAxis, textIn } from './config-values.ts';
import {
  type LayerCallContext,
  type LayerDefinition,
  type LayerDefinitions,
  type LayerSettings,
  onlyInput,
  requireAxis,
  type Shape,
} from './layer-definition.ts';

type Padding = 'same' | 'valid';
type Pair = [number, number];

/** Spatial settings, one number per axis. */
interface Geometry {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: string;
}

export const CONVOLUTION_LAYERS: LayerDefinitions = {
  Conv1D: convolution(1),
  Conv2D: convolution(2),
  Conv1DTranspose: transposedConvolution(1),
  Conv2DTranspose: transposedConvolution(2),
  DepthwiseConv1D: depthwiseConvolution(1),
  DepthwiseConv2D: depthwiseConvolution(2),
  SeparableConv1D: separableConvolution(1),
  SeparableConv2D: separableConvolution(2),
};

function convolution(rank: 1 | 2): LayerDefinition {
  return {
    weightNames: ({ config }) => ['kernel', ...biasOf(config)],
    weightShapes: ({ config }, inputs) => {
      const groups = numberIn(config, 'groups', 1);
      const filters = numberIn(config, 'filters', 1);
      const channels = requireAxis(onlyInput(inputs), -1);
      return [[...geometryOf(config, rank).kernel, channels / groups, filters], [filters]];
    },
    outputShapes: ({ config }, inputs) => [
      slide(onlyInput(inputs), geometryOf(config, rank), numberIn(config, 'filters', 1)),
    ],
    call: context => {
      const { tf, settings, inputs, weights } = context;
      const { config } = settings;
      const geometry = geometryOf(config, rank);
      const { x, padding } = padCausally(tf, onlyInput(inputs), geometry);
      const groups = numberIn(config, 'groups', 1);
      const [image, kernel] = [asImage(x, rank), asKernel(onlyInput(weights), rank)];
      const convolve = (part: tf.Tensor4D, filter: tf.Tensor4D): tf.Tensor4D =>
        tf.conv2d(part, filter, pair(geometry.strides, rank), padding, 'NHWC', pair(geometry.dilation, rank));
      const isDepthwise = groups > 1 && groups === image.shape[3] && new Set(geometry.strides).size === 1;
      if (isDepthwise) {
        // The same numbers, in one kernel instead of one per channel.
        const [height, width, , filters] = kernel.shape;
        const filter = kernel.reshape<tf.Tensor4D>([height, width, groups, filters / groups]);
        return finish(context, fromImage(depthwise(tf, image, filter, geometry, rank, padding), rank));
      }
      const y = groups === 1 ? convolve(image, kernel) : convolveGroups(tf, image, kernel, groups, convolve);
      return finish(context, fromImage(y, rank));
    },
  };
}

function transposedConvolution(rank: 1 | 2): LayerDefinition {
  const outputShape = (config: JsonObject, input: Shape): Shape => {
    const { kernel, strides, padding } = geometryOf(config, rank);
    const extra =
      config.output_padding === null || config.output_padding === undefined
        ? undefined
        : perAxis(config, 'output_padding', rank, 0);
    const spatial = kernel.map((size, axis) =>
      lengthOfTransposed(input[axis + 1] ?? null, size, strides[axis] ?? 1, padding, extra?.[axis]),
    );
    return [input[0] ?? null, ...spatial, numberIn(config, 'filters', 1)];
  };
  return {
    weightNames: ({ config }) => ['kernel', ...biasOf(config)],
    weightShapes: ({ config }, inputs) => {
      const filters = numberIn(config, 'filters', 1);
      return [[...geometryOf(config, rank).kernel, filters, requireAxis(onlyInput(inputs), -1)], [filters]];
    },
    outputShapes: ({ config }, inputs) => [outputShape(config, onlyInput(inputs))],
    unsupported: ({ config }) => (isDilated(config, rank) ? 'a dilated transposed convolution' : undefined),
    call: context => {
      const { tf, settings, inputs, weights } = context;
      const geometry = geometryOf(settings.config, rank);
      const x = onlyInput(inputs);
      const shape = outputShape(settings.config, x.shape).map(axis => axis ?? 0);
      const [batch = 0, ...rest] = shape;
      const target = (rank === 1 ? [batch, 1, ...rest] : shape) as [number, number, number, number];
      const padding = geometry.padding === 'same' ? 'same' : 'valid';
      const y = tf.conv2dTranspose(
        asImage(x, rank),
        asKernel(onlyInput(weights), rank),
        target,
        pair(geometry.strides, rank),
        padding,
      );
      return finish(context, fromImage(y, rank));
    },
  };
}

function depthwiseConvolution(rank: 1 | 2): LayerDefinition {
  return {
    weightNames: ({ config, dialect }) => [dialect === 3 ? 'kernel' : 'depthwise_kernel', ...biasOf(config)],
    weightShapes: ({ config }, inputs) => {
      const channels = requireAxis(onlyInput(inputs), -1);
      const multiplier = numberIn(config, 'depth_multiplier', 1);
      return [[...geometryOf(config, rank).kernel, channels, multiplier], [channels * multiplier]];
    },
    outputShapes: ({ config }, inputs) => {
      const input = onlyInput(inputs);
      return [slide(input, geometryOf(config, rank), requireAxis(input, -1) * numberIn(config, 'depth_multiplier', 1))];
    },
    call: context => {
      const { tf, settings, inputs, weights } = context;
      const geometry = geometryOf(settings.config, rank);
      const { x, padding } = padCausally(tf, onlyInput(inputs), geometry);
      const y = depthwise(tf, asImage(x, rank), asKernel(onlyInput(weights), rank), geometry, rank, padding);
      return finish(context, fromImage(y, rank));
    },
  };
}

function separableConvolution(rank: 1 | 2): LayerDefinition {
  return {
    weightNames: ({ config }) => ['depthwise_kernel', 'pointwise_kernel', ...biasOf(config)],
    weightShapes: ({ config }, inputs) => {
      const channels = requireAxis(onlyInput(inputs), -1);
      const multiplier = numberIn(config, 'depth_multiplier', 1);
      const filters = numberIn(config, 'filters', 1);
      const ones = Array.from({ length: rank }, () => 1);
      return [
        [...geometryOf(config, rank).kernel, channels, multiplier],
        [...ones, channels * multiplier, filters],
        [filters],
      ];
    },
    outputShapes: ({ config }, inputs) => [
      slide(onlyInput(inputs), geometryOf(config, rank), numberIn(config, 'filters', 1)),
    ],
    call: context => {
      const { tf, settings, inputs, weights } = context;
      const geometry = geometryOf(settings.config, rank);
      const [first, second] = weights;
      if (first === undefined || second === undefined) throw new Error('Expected two kernels');
      const { x, padding } = padCausally(tf, onlyInput(inputs), geometry);
      const parts = depthwise(tf, asImage(x, rank), asKernel(first, rank), geometry, rank, padding);
      const y = tf.conv2d(parts, asKernel(second, rank), 1, 'valid');
      return finish(context, fromImage(y, rank));
    },
  };
}

/** Each group of input channels has filters of its own. */
function convolveGroups(
  tf: Tfjs,
  x: tf.Tensor4D,
  kernel: tf.Tensor4D,
  groups: number,
  convolve: (part: tf.Tensor4D, filter: tf.Tensor4D) => tf.Tensor4D,
): tf.Tensor4D {
  const filters = tf.split<tf.Tensor4D>(kernel, groups, 3);
  const parts = tf.split<tf.Tensor4D>(x, groups, 3).flatMap((part, group) => {
    const filter = filters[group];
    return filter === undefined ? [] : [convolve(part, filter)];
  });
  return tf.concat(parts, 3);
}

/** No dilated depthwise kernel is known to every runtime: the image is taken apart into `rate` images per axis instead. */
function depthwise(
  tf: Tfjs,
  x: tf.Tensor4D,
  kernel: tf.Tensor4D,
  { strides, dilation }: Geometry,
  rank: 1 | 2,
  padding: Padding,
): tf.Tensor4D {
  const rates = pair(dilation, rank);
  if (rates.every(rate => rate === 1)) return tf.depthwiseConv2d(x, kernel, pair(strides, rank), padding);
  const pads = rates.map((rate, axis): Pair => {
    const wide = padding === 'same' ? ((kernel.shape[axis] ?? 1) - 1) * rate : 0;
    const before = Math.floor(wide / 2);
    return [before, wide - before];
  });
  const crops = rates.map((rate, axis): Pair => {
    const length = (x.shape[axis + 1] ?? 0) + (pads[axis]?.[0] ?? 0) + (pads[axis]?.[1] ?? 0);
    return [0, (rate - (length % rate)) % rate];
  });
  const whole = pads.map(([before, after], axis): Pair => [before, after + (crops[axis]?.[1] ?? 0)]);
  const parts = tf.depthwiseConv2d(tf.spaceToBatchND(x, rates, whole), kernel, 1, 'valid');
  return tf.batchToSpaceND(parts, rates, crops);
}

/** Adds the bias and applies the activation. */
function finish({ tf, settings, weights }: LayerCallContext, y: tf.Tensor): tf.Tensor {
  const biased = booleanIn(settings.config, 'use_bias', true) ? tf.add(y, weights[weights.length - 1] ?? 0) : y;
  return activate(tf, settings, biased);
}

/** Applies the `activation` of a layer's config. */
export function activate(tf: Tfjs, { config, dialect }: LayerSettings, x: tf.Tensor): tf.Tensor {
  const activation = activationOf(config.activation, dialect);
  if (activation === undefined) throw new Error('Expected an activation that Keras has');
  return activation.apply(tf, x);
}

function isDilated(config: JsonObject, rank: number): boolean {
  return perAxis(config, 'dilation_rate', rank, 1).some(rate => rate !== 1);
}

function biasOf(config: JsonObject): readonly string[] {
  return booleanIn(config, 'use_bias', true) ? ['bias'] : [];
}

function geometryOf(config: JsonObject, rank: number): Geometry {
  return {
    kernel: perAxis(config, 'kernel_size', rank, 1),
    strides: perAxis(config, 'strides', rank, 1),
    dilation: perAxis(config, 'dilation_rate', rank, 1),
    padding: textIn(config, 'padding', 'valid'),
  };
}

/** Shape behind a window that slides over the spatial axes. */
function slide(input: Shape, { kernel, strides, dilation, padding }: Geometry, channels: number): Shape {
  const spatial = kernel.map((size, axis) => {
    const length = input[axis + 1] ?? null;
    if (length === null) return null;
    const lost = padding === 'valid' ? (size - 1) * (dilation[axis] ?? 1) : 0;
    return Math.ceil((length - lost) / (strides[axis] ?? 1));
  });
  return [input[0] ?? null, ...spatial, channels];
}

/** As `compute_conv_transpose_output_shape` of Keras 3 and `deconv_output_length` of Keras 2. */
function lengthOfTransposed(
  length: number | null,
  kernel: number,
  stride: number,
  padding: string,
  extra: number | undefined,
): number | null {
  if (length === null) return null;
  if (padding === 'same') return extra === undefined ? length * stride : (length - 1) * stride + (kernel % 2) + extra;
  return (length - 1) * stride + kernel + (extra ?? Math.max(stride - kernel, 0));
}

/** Causal padding puts all of it in front. */
function padCausally(
  tf: Tfjs,
  x: tf.Tensor,
  { kernel, dilation, padding }: Geometry,
): { x: tf.Tensor; padding: Padding } {
  if (padding !== 'causal') return { x, padding: padding === 'same' ? 'same' : 'valid' };
  const front = ((kernel[0] ?? 1) - 1) * (dilation[0] ?? 1);
  return {
    x: tf.pad(
      x,
      x.shape.map((_, axis): Pair => [axis === 1 ? front : 0, 0]),
    ),
    padding: 'valid',
  };
}

/** One spatial axis as the width of an image of height 1. */
function asImage(x: tf.Tensor, rank: 1 | 2): tf.Tensor4D {
  return (rank === 1 ? x.expandDims(1) : x) as tf.Tensor4D;
}

function asKernel(kernel: tf.Tensor, rank: 1 | 2): tf.Tensor4D {
  return (rank === 1 ? kernel.expandDims(0) : kernel) as tf.Tensor4D;
}

function fromImage(y: tf.Tensor4D, rank: 1 | 2): tf.Tensor {
  return rank === 1 ? y.squeeze([1]) : y;
}

/** For both axes of an image; depthwise kernels want the strides of both to be equal, so that one axis has its own twice. */
function pair(numbers: readonly number[], rank: 1 | 2): Pair {
  const [first = 1, second = first] = numbers;
  return rank === 1 ? [first, first] : [first, second];
}
