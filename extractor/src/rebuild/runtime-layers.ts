// The layers that TensorFlow.js has and computes as Keras does: they train, fuse and save as everywhere else.
import type * as tf from '@tensorflow/tfjs';
import type { GraphLayer, Json, JsonObject } from '../layer-graph.ts';
import { tfjs } from '../tfjs.ts';
import { activationOf, registerActivation } from './activations.ts';
import { booleanIn, numberIn, numbersOf, textIn } from './config-values.ts';
import type { Shape } from './layer-definition.ts';

interface RuntimeClass {
  /** Fields of the config that the class takes, but for activation and data format. */
  readonly fields: readonly string[];
  /** Whether TensorFlow.js computes these settings as Keras does. @default always */
  readonly exact?: (config: JsonObject, inputs: readonly Shape[]) => boolean;
  /** Settings whose name or form TensorFlow.js wants differently. */
  readonly adapt?: (config: JsonObject) => Readonly<Record<string, unknown>>;
}

const CONVOLUTION = ['filters', 'kernel_size', 'strides', 'padding', 'dilation_rate', 'use_bias'] as const;
const POOLING = ['pool_size', 'strides', 'padding'] as const;
const NONE: RuntimeClass = { fields: [] };
const convolution: RuntimeClass = { fields: CONVOLUTION, exact: isPlainConvolution };
const transposed: RuntimeClass = { fields: CONVOLUTION, exact: isPlainTransposed };
const pooling: RuntimeClass = { fields: POOLING };
const globalPooling: RuntimeClass = { fields: [], exact: config => !booleanIn(config, 'keepdims', false) };
/** With an open axis it computes sizes from null. */
const closed = (_: JsonObject, inputs: readonly Shape[]): boolean =>
  inputs.every(shape => shape.slice(1).every(axis => axis !== null));

const RUNTIME_CLASSES: Readonly<Record<string, RuntimeClass>> = {
  Conv1D: convolution,
  Conv2D: convolution,
  Conv3D: convolution,
  Conv2DTranspose: transposed,
  Conv3DTranspose: transposed,
  // Its dilation is ignored.
  DepthwiseConv2D: { fields: [...CONVOLUTION, 'depth_multiplier'], exact: isPlainConvolution, adapt: withoutFilters },
  // It does not save its multiplier.
  SeparableConv2D: {
    fields: CONVOLUTION,
    exact: config => isPlainConvolution(config) && numberIn(config, 'depth_multiplier', 1) === 1,
  },
  Dense: { fields: ['units', 'use_bias'] },
  BatchNormalization: {
    fields: ['momentum', 'epsilon', 'center', 'scale'],
    exact: (config, inputs) => {
      const rank = inputs[0]?.length ?? 0;
      const [axis = -1] = numbersOf(config.axis) ?? [];
      // Without gamma or beta it fails in training.
      const complete = booleanIn(config, 'scale', true) && booleanIn(config, 'center', true);
      return complete && rank >= 2 && rank <= 4 && (axis === -1 || axis === rank - 1);
    },
    adapt: config => ({ axis: numbersOf(config.axis)?.[0] ?? -1 }),
  },
  Activation: NONE,
  ReLU: {
    fields: [],
    exact: config => numberIn(config, 'negative_slope', 0) === 0 && numberIn(config, 'threshold', 0) === 0,
    adapt: config => (typeof config.max_value === 'number' ? { maxValue: config.max_value } : {}),
  },
  LeakyReLU: {
    fields: [],
    adapt: config => ({ alpha: numberIn(config, 'negative_slope', numberIn(config, 'alpha', 0.3)) }),
  },
  PReLU: { fields: ['shared_axes'], exact: closed },
  ELU: { fields: [], exact: config => numberIn(config, 'alpha', 1) === 1 },
  Softmax: {
    fields: [],
    exact: (config, inputs) =>
      [-1, (inputs[0]?.length ?? 0) - 1].includes(numbersOf(config.axis ?? -1)?.[0] ?? -1) &&
      !Array.isArray(config.axis),
    adapt: () => ({ axis: -1 }),
  },
  MaxPooling1D: pooling,
  MaxPooling2D: pooling,
  AveragePooling1D: pooling,
  AveragePooling2D: pooling,
  AveragePooling3D: pooling,
  GlobalMaxPooling1D: globalPooling,
  GlobalMaxPooling2D: globalPooling,
  GlobalAveragePooling1D: globalPooling,
  GlobalAveragePooling2D: globalPooling,
  ZeroPadding2D: { fields: ['padding'] },
  Cropping2D: { fields: ['cropping'], exact: closed },
  UpSampling2D: { fields: ['size'], exact: config => textIn(config, 'interpolation', 'nearest') === 'nearest' },
  Reshape: { fields: ['target_shape'] },
  Flatten: { fields: [] },
  Permute: { fields: ['dims'] },
  RepeatVector: { fields: ['n'] },
  Add: NONE,
  Multiply: NONE,
  Average: NONE,
  Maximum: NONE,
  Minimum: NONE,
  Concatenate: { fields: ['axis'] },
  Dropout: { fields: ['rate'] },
  SpatialDropout1D: { fields: ['rate'] },
  GaussianNoise: { fields: ['stddev'] },
  GaussianDropout: { fields: ['rate'] },
  AlphaDropout: { fields: ['rate'] },
  Embedding: { fields: ['input_dim', 'output_dim'] },
};

/** Names of the weights of TensorFlow.js' own classes, in the order of Keras' `layer.weights`. */
export function runtimeWeightNames(layer: GraphLayer): readonly string[] | undefined {
  const { config } = layer;
  const bias = booleanIn(config, 'use_bias', true) ? ['bias'] : [];
  switch (layer.className) {
    case 'DepthwiseConv2D':
      // Keras 3 calls it `kernel`, Keras 2 `depthwise_kernel`.
      return [layer.dialect === 3 ? 'kernel' : 'depthwise_kernel', ...bias];
    case 'SeparableConv2D':
      return ['depthwise_kernel', 'pointwise_kernel', ...bias];
    case 'PReLU':
      return ['alpha'];
    case 'Embedding':
      return ['embeddings'];
    case 'BatchNormalization':
      return [
        ...(booleanIn(config, 'scale', true) ? ['gamma'] : []),
        ...(booleanIn(config, 'center', true) ? ['beta'] : []),
        'moving_mean',
        'moving_variance',
      ];
    default:
      if (!(layer.className in RUNTIME_CLASSES)) return undefined;
      return /^(Conv|Dense)/.test(layer.className) && layer.className !== 'Concatenate' ? ['kernel', ...bias] : [];
  }
}

export function isRuntimeClass(className: string): boolean {
  return className in RUNTIME_CLASSES;
}

/** TensorFlow.js' own layer, or undefined where it has none or would compute something else. */
export function createRuntimeLayer(
  layer: GraphLayer,
  trainable: boolean,
  inputs: readonly Shape[],
): tf.layers.Layer | undefined {
  const known = RUNTIME_CLASSES[layer.className];
  if (known === undefined || known.exact?.(layer.config, inputs) === false) return undefined;
  const args: Record<string, unknown> = { name: layer.name, trainable };
  for (const field of known.fields) {
    const value = layer.config[field];
    if (value !== null && value !== undefined) args[camelCase(field)] = structuredClone(value);
  }
  if (layer.config.data_format === 'channels_first') args.dataFormat = 'channelsFirst';
  if ('activation' in layer.config) {
    const activation = activationOf(layer.config.activation, layer.dialect);
    if (activation === undefined) return undefined;
    args.activation = registerActivation(activation);
  }
  Object.assign(args, known.adapt?.(layer.config));
  const entry = tfjs().serialization.SerializationMap.getMap().classNameMap[layer.className];
  if (entry === undefined) throw new Error(`Expected TensorFlow.js to have a class '${layer.className}'`);
  return new entry[0](args) as tf.layers.Layer;
}

/** One stride or one dilation of 1, no groups, no causal padding. */
function isPlainConvolution(config: JsonObject): boolean {
  const dilated = (numbersOf(config.dilation_rate) ?? [1]).some(rate => rate !== 1);
  const plain = numberIn(config, 'groups', 1) === 1 && textIn(config, 'padding', 'valid') !== 'causal';
  return plain && !(dilated && 'depth_multiplier' in config);
}

function isPlainTransposed(config: JsonObject): boolean {
  const dilated = (numbersOf(config.dilation_rate) ?? [1]).some(rate => rate !== 1);
  return !dilated && isNothing(config.output_padding);
}

function withoutFilters(): Readonly<Record<string, unknown>> {
  return { filters: undefined };
}

function isNothing(value: Json | undefined): boolean {
  return value === null || value === undefined;
}

function camelCase(field: string): string {
  return field.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}
