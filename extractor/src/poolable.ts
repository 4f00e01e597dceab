// Whether layers can be pooled: pooling keeps the channels, so it must know which axis they are. For the ways that pool.
import { Refusal } from '../../shared/src/errors.ts';
import type { Pooling } from '../../shared/src/request.ts';
import type { LayerTable } from './layer-table.ts';

/**
 * @param shapes one per layer, without the batch axis: a single axis needs no pooling
 * @throws Refusal `bad-option`, naming the layer
 */
export function requirePoolable(
  table: LayerTable,
  layers: readonly string[],
  shapes: readonly (readonly number[])[],
  pooling: Pooling,
): void {
  if (pooling === 'none') return;
  const unknown = new Set(table.layers.filter(layer => layer.channelAxis === 'unknown').map(layer => layer.name));
  layers.forEach((name, index) => {
    const shape = shapes[index] ?? [];
    if (shape.length < 2 || !unknown.has(name)) return;
    throw new Refusal(
      'bad-option',
      `Expected pooling none for layer '${name}' but received ${pooling}: which axis of [${shape.join(', ')}] holds its channels is not known`,
      { hint: 'Take a layer before the axes are made anew, such as a convolution, or pool the features yourself.' },
    );
  });
}
