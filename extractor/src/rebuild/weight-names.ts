// The names of a layer's weights, for readers that check their number or sort them.
import type { GraphLayer } from '../layer-graph.ts';
import { LAYER_DEFINITIONS } from './definitions.ts';
import { runtimeWeightNames } from './runtime-layers.ts';
import { innerLayer } from './time-distributed.ts';

/**
 * Keras' variable names in the order of `layer.weights`, by the config alone; empty for a layer without weights,
 * undefined for a class that is not known.
 */
export function weightNames(layer: GraphLayer): readonly string[] | undefined {
  const inner = innerLayer(layer);
  if (inner !== undefined) return weightNames(inner);
  const names = runtimeWeightNames(layer);
  if (names !== undefined) return names;
  if (layer.className === 'InputLayer') return [];
  const definition = LAYER_DEFINITIONS[layer.className];
  if (definition === undefined) return undefined;
  const { className, config, dialect } = layer;
  return definition.weightNames?.({ className, config, dialect, args: [], kwargs: {} }) ?? [];
}
