// Every activation function of Keras 2 and 3, by name and settings, and as a class that TensorFlow.js' own layers can take.
import type * as tf from '@tensorflow/tfjs';
import type { Json, JsonObject, KerasDialect } from '../layer-graph.ts';
import { type Tfjs, tfjs } from '../tfjs.ts';
import { booleanIn, numberIn } from './config-values.ts';

type ActivationFunction = (tf: Tfjs, x: tf.Tensor, config: JsonObject) => tf.Tensor;

/** Formulas as in keras/src/backend and keras/src/ops/nn.py; those that differ in Keras 2 stand in KERAS_2 below. */
const KERAS_3: Readonly<Record<string, ActivationFunction>> = {
  linear: (_, x) => x,
  relu,
  relu6: (tf, x) => tf.relu6(x),
  leaky_relu: (tf, x, config) => tf.leakyRelu(x, numberIn(config, 'negative_slope', numberIn(config, 'alpha', 0.2))),
  elu: (tf, x, config) => elu(tf, x, numberIn(config, 'alpha', 1)),
  selu: (tf, x) => tf.selu(x),
  celu: (tf, x, config) => {
    const alpha = numberIn(config, 'alpha', 1);
    return tf.maximum(x, 0).add(tf.expm1(tf.minimum(x, 0).div(alpha)).mul(alpha));
  },
  gelu,
  silu: (tf, x) => tf.mul(x, tf.sigmoid(x)),
  hard_silu: (tf, x) => tf.mul(x, hardSigmoid3(tf, x)),
  sigmoid: (tf, x) => tf.sigmoid(x),
  hard_sigmoid: hardSigmoid3,
  log_sigmoid: (tf, x) => tf.neg(tf.softplus(tf.neg(x))),
  softmax: (tf, x, config) => softmax(tf, x, numberIn(config, 'axis', -1)),
  log_softmax: (tf, x, config) => logSoftmax(tf, x, numberIn(config, 'axis', -1)),
  softplus: (tf, x) => tf.softplus(x),
  softsign: (tf, x) => tf.div(x, tf.abs(x).add(1)),
  soft_shrink: (tf, x, config) => {
    const threshold = numberIn(config, 'threshold', 0.5);
    return tf.maximum(x.sub(threshold), 0).add(tf.minimum(x.add(threshold), 0));
  },
  hard_shrink: (tf, x, config) =>
    tf.mul(x, tf.cast(tf.greater(tf.abs(x), numberIn(config, 'threshold', 0.5)), 'float32')),
  tanh_shrink: (tf, x) => tf.sub(x, tf.tanh(x)),
  hard_tanh: (tf, x) => tf.clipByValue(x, -1, 1),
  threshold: (tf, x, config) => {
    const above = tf.greater(x, numberIn(config, 'threshold', 0));
    return tf.where(above, x, tf.fill(x.shape, numberIn(config, 'default_value', 0)));
  },
  tanh: (tf, x) => tf.tanh(x),
  exponential: (tf, x) => tf.exp(x),
  mish: (tf, x) => tf.mul(x, tf.tanh(tf.softplus(x))),
  squareplus: (tf, x, config) =>
    tf
      .sqrt(tf.square(x).add(numberIn(config, 'b', 4)))
      .add(x)
      .div(2),
  sparse_plus: (tf, x) =>
    tf
      .maximum(x, 1)
      .sub(1)
      .add(tf.square(tf.clipByValue(x, -1, 1).add(1)).div(4)),
  sparse_sigmoid: (tf, x) => tf.clipByValue(x.add(1).mul(0.5), 0, 1),
};

const KERAS_2: Readonly<Record<string, ActivationFunction>> = {
  ...KERAS_3,
  hard_sigmoid: (tf, x) => tf.clipByValue(x.mul(0.2).add(0.5), 0, 1),
};

/** Other names of the same functions. */
const ALIASES: Readonly<Record<string, string>> = {
  swish: 'silu',
  hard_swish: 'hard_silu',
  hardswish: 'hard_silu',
  log_softmax_v2: 'log_softmax',
  softmax_v2: 'softmax',
  LeakyReLU: 'leaky_relu',
  ReLU: 'relu',
  ELU: 'elu',
  gelu_new: 'gelu',
  exp: 'exponential',
};

/** Those that TensorFlow.js has, computes as Keras does, and knows how to train and fuse. */
const OF_THE_RUNTIME: readonly string[] = [
  'linear',
  'relu',
  'selu',
  'sigmoid',
  'softmax',
  'softplus',
  'softsign',
  'tanh',
];

export interface Activation {
  /** Unique among functions and settings: the class name that TensorFlow.js knows it by. */
  readonly key: string;
  readonly apply: (tf: Tfjs, x: tf.Tensor) => tf.Tensor;
}

/**
 * The function that a config's `activation` names: a name, or a record of name and settings; null means none.
 * Undefined for one that is not Keras' own, such as a Python function of the user's.
 */
export function activationOf(value: Json | undefined, dialect: KerasDialect): Activation | undefined {
  const { name, config } = nameAndConfig(value);
  const known = dialect === 2 ? KERAS_2 : KERAS_3;
  const alias = ALIASES[name] ?? name;
  const compute = known[alias];
  if (compute === undefined) return undefined;
  const settings = name === 'gelu_new' ? { ...config, approximate: true } : config;
  const plain = Object.keys(settings).every(field => field === 'name' || field === 'dtype' || field === 'trainable');
  const key = plain && OF_THE_RUNTIME.includes(alias) ? alias : keyOf(dialect, alias, plain ? {} : settings);
  return { key, apply: (tf, x) => compute(tf, x, settings) };
}

/** Without capitals and underscores, which TensorFlow.js turns into each other when it saves and loads. */
function keyOf(dialect: KerasDialect, name: string, settings: JsonObject): string {
  const text = JSON.stringify(settings);
  const suffix = text === '{}' ? '' : `-${Buffer.from(text).toString('hex')}`;
  return `keras${dialect}-${name.replaceAll('_', '-')}${suffix}`;
}

/** Teaches TensorFlow.js the function, so that its own layers take it by its key. */
export function registerActivation(activation: Activation): string {
  const runtime = tfjs();
  const { classNameMap } = runtime.serialization.SerializationMap.getMap();
  if (classNameMap[activation.key] === undefined) {
    class KerasActivation extends runtime.serialization.Serializable {
      static readonly className = activation.key;

      getConfig(): tf.serialization.ConfigDict {
        return {};
      }

      apply(x: tf.Tensor): tf.Tensor {
        return runtime.tidy(() => activation.apply(runtime, x));
      }
    }
    runtime.serialization.registerClass(KerasActivation, 'layertap');
  }
  return activation.key;
}

function nameAndConfig(value: Json | undefined): { readonly name: string; readonly config: JsonObject } {
  if (value === null || value === undefined) return { name: 'linear', config: {} };
  if (typeof value === 'string') return { name: value, config: {} };
  if (typeof value !== 'object' || Array.isArray(value)) return { name: String(value), config: {} };
  const record = value as JsonObject;
  const { class_name, config } = record;
  const inner = typeof config === 'object' && config !== null && !Array.isArray(config) ? (config as JsonObject) : {};
  // A plain function is written as { class_name: 'function', config: 'relu' }.
  if (class_name === 'function' && typeof config === 'string') return { name: config, config: {} };
  const wrapped = class_name === 'Activation' ? inner.activation : undefined;
  if (wrapped !== undefined) return nameAndConfig(wrapped);
  return { name: typeof class_name === 'string' ? class_name : '', config: inner };
}

/** relu with Keras' three settings: a slope below the threshold, a largest value, and the threshold. */
export function relu(tf: Tfjs, x: tf.Tensor, config: JsonObject): tf.Tensor {
  const slope = numberIn(config, 'negative_slope', numberIn(config, 'alpha', 0));
  const threshold = numberIn(config, 'threshold', 0);
  const largest = config.max_value;
  if (slope === 0 && threshold === 0) {
    if (largest === 6) return tf.relu6(x);
    return typeof largest === 'number' ? tf.clipByValue(x, 0, largest) : tf.relu(x);
  }
  const above = threshold === 0 ? tf.relu(x) : tf.mul(x, tf.cast(tf.greaterEqual(x, threshold), 'float32'));
  const capped = typeof largest === 'number' ? tf.minimum(above, largest) : above;
  return slope === 0 ? capped : tf.add(capped, tf.minimum(x.sub(threshold), 0).mul(slope));
}

export function elu(tf: Tfjs, x: tf.Tensor, alpha: number): tf.Tensor {
  return alpha === 1 ? tf.elu(x) : tf.relu(x).add(tf.elu(tf.minimum(x, 0)).mul(alpha));
}

export function gelu(tf: Tfjs, x: tf.Tensor, config: JsonObject): tf.Tensor {
  if (booleanIn(config, 'approximate', false)) {
    // x + 0.044715 x³ as x (1 + 0.044715 x²).
    const inner = tf.mul(x, tf.square(x).mul(0.044715).add(1)).mul(Math.sqrt(2 / Math.PI));
    return tf.mul(x, tf.tanh(inner).add(1).mul(0.5));
  }
  return tf.mul(x, tf.erf(x.mul(Math.SQRT1_2)).add(1).mul(0.5));
}

export function softmax(tf: Tfjs, x: tf.Tensor, axis: number | readonly number[]): tf.Tensor {
  if (axis === -1 || axis === x.rank - 1) return tf.softmax(x);
  const axes = typeof axis === 'number' ? axis : [...axis];
  const exponentials = tf.exp(tf.sub(x, tf.max(x, axes, true)));
  return tf.div(exponentials, tf.sum(exponentials, axes, true));
}

export function logSoftmax(tf: Tfjs, x: tf.Tensor, axis: number): tf.Tensor {
  const shifted = tf.sub(x, tf.max(x, axis, true));
  return tf.sub(shifted, tf.log(tf.sum(tf.exp(shifted), axis, true)));
}

function hardSigmoid3(tf: Tfjs, x: tf.Tensor): tf.Tensor {
  return tf.relu6(x.add(3)).mul(1 / 6);
}
