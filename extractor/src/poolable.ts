// Whether layers can be pooled: a pooling takes certain axes, and must know which of them holds the channels.
import { Refusal } from '../../shared/src/errors.ts';
import { type Pooling, type Poolings, poolingsOf } from '../../shared/src/pooling.ts';
import type { LayerTable } from './layer-table.ts';
import { poolingProblem } from './pool.ts';

/**
 * @param shapes one per layer, without the batch axis: a single axis needs no pooling
 * @throws Refusal `bad-option`, naming the layer and its shape
 */
export function requirePoolable(
  table: LayerTable,
  layers: readonly string[],
  shapes: readonly (readonly number[])[],
  pool: Poolings,
): void {
  layers.forEach((name, index) => {
    for (const pooling of poolingsOf(pool)) {
      const problem = layerPoolingProblem(table, name, shapes[index] ?? [], pooling);
      if (problem !== undefined) throw new Refusal('bad-option', problem.message, { hint: problem.hint });
    }
  });
}

export interface LayerPoolingProblem {
  /** One sentence that names layer, shape and pooling. */
  readonly message: string;
  readonly hint: string;
}

/** Undefined where the pooling fits the layer. */
export function layerPoolingProblem(
  table: LayerTable,
  name: string,
  shape: readonly number[],
  pooling: Pooling,
): LayerPoolingProblem | undefined {
  if (pooling === 'none' || shape.length < 2) return undefined;
  const axes = `[${shape.join(', ')}]`;
  // Who asks for tokens says what the axes are.
  const named = pooling === 'cls' || pooling === 'mean-tokens';
  if (!named && table.layers.some(layer => layer.name === name && layer.channelAxis === 'unknown')) {
    return {
      message: `Expected pooling none for layer '${name}' but received ${pooling}: which axis of ${axes} holds its channels is not known`,
      hint: 'Take a layer before the axes are made anew, such as a convolution, or pool the features yourself.',
    };
  }
  const reason = poolingProblem(shape, pooling);
  if (reason === undefined) return undefined;
  return {
    message: `Expected a pooling that fits layer '${name}' of shape ${axes} but received ${pooling}: ${reason}`,
    hint: 'Take mean, max, mean+max or gem, which fit any shape, or extract this layer in a run of its own.',
  };
}
