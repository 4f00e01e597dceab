// TimeDistributed: one layer applied to every step of a sequence, by TensorFlow.js' own wrapper.
import type * as tf from '@tensorflow/tfjs';
import type { GraphLayer, JsonObject } from '../layer-graph.ts';
import { tfjs } from '../tfjs.ts';
import { textIn } from './config-values.ts';
import { createKerasLayer } from './keras-layer.ts';
import type { Shape } from './layer-definition.ts';
import { createRuntimeLayer } from './runtime-layers.ts';

/** The layer that a TimeDistributed applies; undefined for any other class. */
export function innerLayer({ name, className, config, dialect }: GraphLayer): GraphLayer | undefined {
  if (className !== 'TimeDistributed') return undefined;
  const inner = (config.layer ?? {}) as JsonObject;
  const settings = (inner.config ?? {}) as JsonObject;
  const path = `${name}/${textIn(settings, 'name', 'layer')}`;
  return { name: path, className: textIn(inner, 'class_name', ''), config: settings, dialect };
}

export function createTimeDistributed(
  inner: GraphLayer,
  name: string,
  trainable: boolean,
  input: Shape,
): tf.layers.Layer {
  const [batch = null, , ...rest] = input;
  const { className, config, dialect } = inner;
  const layer =
    createRuntimeLayer(inner, trainable, [[batch, ...rest]]) ??
    createKerasLayer(inner.name, trainable, { className, config, dialect, args: [{ $input: 0 }], kwargs: {} });
  return tfjs().layers.timeDistributed({ layer, name, trainable });
}
