// Attention layers of Keras 2 and 3, without masks: MultiHeadAttention, GroupQueryAttention, Attention, AdditiveAttention.
import type * as tf from '@tensorflow/tfjs';
import type { JsonObject } from '../layer-graph.ts';
import type { Tfjs } from '../tfjs.ts';
import { bindArguments, isSlot } from './call-values.ts';
import { booleanIn, numberIn, numbersOf, textIn } from './config-values.ts';
import {
  fromStart,
  type LayerCallContext,
  type LayerDefinition,
  type LayerDefinitions,
  type LayerSettings,
  requireAxis,
  type Shape,
} from './layer-definition.ts';
import { mergedOf } from './merging.ts';
import { repeat } from './spatial.ts';

const SIGNATURE = [
  'query',
  'value',
  'key',
  'query_mask',
  'value_mask',
  'key_mask',
  'attention_mask',
  'return_attention_scores',
  'training',
  'use_causal_mask',
];

/** What differs between multi-head and grouped-query attention. */
interface Heads {
  readonly query: number;
  readonly keyValue: number;
  readonly keySize: number;
  readonly valueSize: number;
}

export const ATTENTION_LAYERS: LayerDefinitions = {
  MultiHeadAttention: headedAttention(config => {
    const heads = numberIn(config, 'num_heads', 1);
    const keySize = numberIn(config, 'key_dim', 1);
    return { query: heads, keyValue: heads, keySize, valueSize: numberIn(config, 'value_dim', keySize) };
  }),
  GroupQueryAttention: headedAttention(config => {
    const size = numberIn(config, 'head_dim', 1);
    const keyValue = numberIn(config, 'num_key_value_heads', 1);
    return { query: numberIn(config, 'num_query_heads', 1), keyValue, keySize: size, valueSize: size };
  }),
  Attention: plainAttention(),
  AdditiveAttention: additiveAttention(),
};

function headedAttention(headsOf: (config: JsonObject) => Heads): LayerDefinition {
  return {
    weightNames: ({ config }) =>
      ['query', 'key', ...(isGated(config) ? ['gate'] : []), 'value', 'attention_output'].flatMap(part => [
        `${part}/kernel`,
        ...(booleanIn(config, 'use_bias', true) ? [`${part}/bias`] : []),
      ]),
    weightShapes: (settings, inputs) => {
      const { config } = settings;
      const heads = headsOf(config);
      const { query, key, value } = rolesOf(settings, inputs);
      const output = outputAxes(config, query);
      const biased = booleanIn(config, 'use_bias', true);
      const projection = (input: Shape, count: number, size: number): number[][] => [
        [requireAxis(input, -1), count, size],
        ...(biased ? [[count, size]] : []),
      ];
      return [
        ...projection(query, heads.query, heads.keySize),
        ...projection(key, heads.keyValue, heads.keySize),
        ...(isGated(config) ? projection(query, heads.query, heads.valueSize) : []),
        ...projection(value, heads.keyValue, heads.valueSize),
        [heads.query, heads.valueSize, ...output],
        ...(biased ? [output] : []),
      ];
    },
    outputShapes: (settings, inputs) => {
      const { query, value } = rolesOf(settings, inputs);
      requireAllAxes(settings.config, query.length);
      const output = [...query.slice(0, -1), ...outputAxes(settings.config, query)];
      const scores = [query[0] ?? null, headsOf(settings.config).query, ...query.slice(1, -1), ...value.slice(1, -1)];
      return returnsScores(settings) ? [output, scores] : [output];
    },
    unsupported: unsupportedAttention,
    call: context => attend(context, headsOf(context.settings.config)),
  };
}

function attend({ tf, settings, inputs, weights }: LayerCallContext, heads: Heads): tf.Tensor | tf.Tensor[] {
  const { config } = settings;
  const biased = booleanIn(config, 'use_bias', true);
  const remaining = [...weights];
  const take = (): { kernel: tf.Tensor; bias: tf.Tensor | undefined } => {
    const kernel = remaining.shift();
    if (kernel === undefined) throw new Error('Expected a kernel');
    return { kernel, bias: biased ? remaining.shift() : undefined };
  };
  const roles = rolesOf(settings, inputs);
  // Shape [batch, heads, tokens, size].
  const query = project(tf, roles.query, take());
  const shared = heads.query / heads.keyValue;
  const key = repeat(tf, project(tf, roles.key, take()), shared, 1);
  const gate = isGated(config) ? tf.sigmoid(project(tf, roles.query, take())) : undefined;
  const value = repeat(tf, project(tf, roles.value, take()), shared, 1);
  const scores = tf.softmax(tf.matMul(query.mul(1 / Math.sqrt(heads.keySize)), key, false, true));
  const mixed = tf.matMul(scores, value);
  const { kernel, bias } = take();
  const [batch, , tokens] = mixed.shape as [number, number, number, number];
  const tokensFirst = tf.transpose(gate === undefined ? mixed : tf.mul(mixed, gate), [0, 2, 1, 3]);
  const width = heads.query * heads.valueSize;
  const joined = tf.matMul(tokensFirst.reshape([batch * tokens, width]), kernel.reshape([width, -1]));
  const shape = [...roles.query.shape.slice(0, -1), ...outputAxes(config, roles.query.shape)];
  const flat = bias === undefined ? joined : tf.add(joined, bias.reshape([-1]));
  const output = flat.reshape(shape);
  if (!returnsScores(settings)) return output;
  const axes = [...roles.query.shape.slice(1, -1), ...roles.value.shape.slice(1, -1)];
  return [output, scores.reshape([batch, heads.query, ...axes])];
}

/** x W + b per head; all axes between batch and channels are tokens. */
function project(
  tf: Tfjs,
  x: tf.Tensor,
  { kernel, bias }: { kernel: tf.Tensor; bias: tf.Tensor | undefined },
): tf.Tensor {
  const [channels = 1, heads = 1, size = 1] = kernel.shape;
  const flat = tf.matMul(x.reshape([-1, channels]), kernel.reshape([channels, heads * size]));
  const y = bias === undefined ? flat : tf.add(flat, bias.reshape([heads * size]));
  return tf.transpose(y.reshape([x.shape[0] ?? 1, -1, heads, size]), [0, 2, 1, 3]);
}

/** softmax(q kᵀ) v, or with scores from tanh(q + k). */
function plainAttention(): LayerDefinition {
  const isConcat = (config: JsonObject): boolean => textIn(config, 'score_mode', 'dot') === 'concat';
  return {
    weightNames: ({ config }) => [
      ...(booleanIn(config, 'use_scale', false) ? ['scale'] : []),
      ...(isConcat(config) ? ['concat_score_weight'] : []),
    ],
    weightShapes: () => [[], []],
    outputShapes: mixedShapes,
    unsupported: unsupportedAttention,
    call: context => {
      const { tf, settings, weights } = context;
      const scaled = booleanIn(settings.config, 'use_scale', false);
      return mix(context, (query, key) => {
        const scale = scaled ? weights[0] : undefined;
        if (!isConcat(settings.config)) {
          const scores = tf.matMul(query, key, false, true);
          return scale === undefined ? scores : scores.mul(scale);
        }
        const sum = pairwiseSum(query, key);
        const total = tf.sum(tf.tanh(scale === undefined ? sum : sum.mul(scale)), -1);
        return total.mul(weights[scaled ? 1 : 0] ?? 1);
      });
    },
  };
}

function additiveAttention(): LayerDefinition {
  return {
    weightNames: ({ config }) => (booleanIn(config, 'use_scale', true) ? ['scale'] : []),
    weightShapes: (settings, inputs) => [[requireAxis(mergedOf(settings, inputs)[0] ?? [], -1)]],
    outputShapes: mixedShapes,
    unsupported: unsupportedAttention,
    call: context => {
      const { tf, weights } = context;
      return mix(context, (query, key) => tf.sum(tf.tanh(pairwiseSum(query, key)).mul(weights[0] ?? 1), -1));
    },
  };
}

/** Shape [batch, queries, keys, channels]. */
function pairwiseSum(query: tf.Tensor, key: tf.Tensor): tf.Tensor {
  return query.expandDims(-2).add(key.expandDims(-3));
}

function mix(
  { tf, settings, inputs }: LayerCallContext,
  score: (query: tf.Tensor, key: tf.Tensor) => tf.Tensor,
): tf.Tensor | tf.Tensor[] {
  const [query, value, key = value] = mergedOf(settings, inputs);
  if (query === undefined || value === undefined || key === undefined) throw new Error('Expected query and value');
  const weights = tf.softmax(score(query, key));
  const mixed = tf.matMul(weights, value);
  return returnsScores(settings) ? [mixed, weights] : mixed;
}

function mixedShapes(settings: LayerSettings, inputs: readonly Shape[]): readonly Shape[] {
  const [query = [], value = [], key = value] = mergedOf(settings, inputs);
  const output = [...query.slice(0, -1), value.at(-1) ?? null];
  return returnsScores(settings) ? [output, [...query.slice(0, -1), key.at(-2) ?? null]] : [output];
}

function rolesOf<T>(settings: LayerSettings, inputs: readonly T[]): Record<'query' | 'value' | 'key', T> {
  const named = bindArguments(settings, SIGNATURE);
  const pick = (name: string): T | undefined => {
    const slot = named[name];
    return slot !== undefined && isSlot(slot) ? inputs[slot.$input] : undefined;
  };
  const [query, value] = [pick('query'), pick('value')];
  if (query === undefined || value === undefined) throw new Error('Expected the tensors query and value');
  return { query, value, key: pick('key') ?? value };
}

function unsupportedAttention(settings: LayerSettings): string | undefined {
  const { config } = settings;
  if (typeof config.sliding_window === 'number') return 'attention in a sliding window';
  const named = isHeaded(settings) ? bindArguments(settings, SIGNATURE) : settings.kwargs;
  if (named.use_causal_mask === true || config.causal === true) return 'attention with a causal mask';
  return undefined;
}

function returnsScores(settings: LayerSettings): boolean {
  if (settings.kwargs.return_attention_scores === true) return true;
  return isHeaded(settings) && settings.args[SIGNATURE.indexOf('return_attention_scores')] === true;
}

function isHeaded({ className }: LayerSettings): boolean {
  return className === 'MultiHeadAttention' || className === 'GroupQueryAttention';
}

/** Keras writes the axes once the layer is built, by default all between batch and channels. */
function requireAllAxes(config: JsonObject, rank: number): void {
  const axes = (numbersOf(config.attention_axes) ?? []).map(axis => fromStart(axis, rank));
  if (axes.length === 0 || axes.length === rank - 2) return;
  throw new Error(`Expected attention over all ${rank - 2} axes of tokens but received ${axes.join(', ')}`);
}

function isGated(config: JsonObject): boolean {
  return booleanIn(config, 'use_gate', false);
}

/** The query's channels, unless the layer says otherwise. */
function outputAxes(config: JsonObject, query: Shape): number[] {
  return [...(numbersOf(config.output_shape) ?? [requireAxis(query, -1)])];
}
