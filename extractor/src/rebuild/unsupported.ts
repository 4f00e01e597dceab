// Which layers cannot be rebuilt, and what their users can do: known from the config alone, so that listings can say it.
import { Refusal } from '../../../shared/src/errors.ts';
import type { CallValue, GraphLayer, LayerCall } from '../layer-graph.ts';
import { activationOf } from './activations.ts';
import { isSlot } from './call-values.ts';
import { LAYER_DEFINITIONS } from './definitions.ts';
import { isRuntimeClass } from './runtime-layers.ts';
import { innerLayer } from './time-distributed.ts';

/** Why the layer cannot be rebuilt, as a noun phrase for people; undefined where it can. */
export function unsupportedReason(layer: GraphLayer): string | undefined {
  const { className, config, dialect } = layer;
  if (className === 'InputLayer') return undefined;
  if (className === 'Lambda') return 'a Lambda with Python code';
  if (className === 'Masking') return 'a mask, which features have no place for';
  const inner = innerLayer(layer);
  if (inner !== undefined) return unsupportedReason(inner);
  const definition = LAYER_DEFINITIONS[className];
  if (definition === undefined && !isRuntimeClass(className)) {
    if (className.startsWith('keras.ops.')) return `the operation ${className}, which is not among the known ones`;
    return 'a subclassed layer or one of a class that is not known here';
  }
  if (layer.config.data_format === 'channels_first' && !isRuntimeClass(className))
    return 'channels in front of the image';
  for (const field of ['activation', 'recurrent_activation']) {
    if (activationOf(config[field], dialect) === undefined) {
      return `the activation ${JSON.stringify(config[field])}, which is not one of Keras' own`;
    }
  }
  return definition?.unsupported?.({ className, config, dialect, args: [], kwargs: {} });
}

/** @throws Refusal `model-unreadable` */
export function requireSupportedLayer(layer: GraphLayer): void {
  const reason = unsupportedReason(layer);
  if (reason !== undefined) throw refusal(layer, reason);
}

/** Some layers can be rebuilt, but not in every way of calling them. @throws Refusal `model-unreadable` */
export function requireSupportedCall(layer: GraphLayer, { args, kwargs }: LayerCall): void {
  for (const [name, value] of Object.entries(kwargs)) {
    if (name.endsWith('mask') && hasSlot(value)) throw refusal(layer, `called with \`${name}\``);
  }
  const { className, config, dialect } = layer;
  const reason = LAYER_DEFINITIONS[className]?.unsupported?.({ className, config, dialect, args, kwargs });
  if (reason !== undefined) throw refusal(layer, reason);
}

function refusal(layer: GraphLayer, reason: string): Refusal {
  return new Refusal(
    'model-unreadable',
    `Expected a layer that can be rebuilt but '${layer.name}' (${layer.className}) is ${reason}`,
    { hint: 'Take layers in front of it, or export the model as a SavedModel or to ONNX.' },
  );
}

function hasSlot(value: CallValue): boolean {
  if (isSlot(value)) return true;
  if (Array.isArray(value)) return (value as readonly CallValue[]).some(hasSlot);
  return typeof value === 'object' && value !== null && Object.values(value).some(hasSlot);
}
