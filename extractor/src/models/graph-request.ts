// Whether a TensorFlow graph can give the wanted layers for an input shape. For its reader and its extractors.
import { Refusal } from '../../../shared/src/errors.ts';
import type { LayerTable } from '../layer-table.ts';
import { unknownLayer } from '../unknown-layer.ts';

/** @throws Refusal `unknown-layer` for a name that is no layer, or one that cannot be had; `recipe-mismatch` for the shape */
export function requireGraphLayers(table: LayerTable, inputShape: readonly number[], layers: readonly string[]): void {
  const byName = new Map(table.layers.map(layer => [layer.name, layer]));
  for (const name of layers) {
    const layer = byName.get(name);
    if (layer === undefined) throw unknownLayer(name, byName.keys());
    if (layer.unsupported !== undefined) {
      throw new Refusal('unknown-layer', `Expected a layer whose values can be had but '${name}' is none`, {
        hint: `About that layer: ${layer.unsupported}. Take another one.`,
      });
    }
  }
  const declared = table.inputShape;
  const fits =
    declared.length === inputShape.length && declared.every((axis, i) => axis === null || axis === inputShape[i]);
  if (fits) return;
  const list = (shape: readonly (number | null)[]): string => `[${shape.map(axis => axis ?? '?').join(', ')}]`;
  throw new Refusal(
    'recipe-mismatch',
    `Expected an input of shape ${list(declared)} but the recipe gives ${list(inputShape)}`,
    { hint: 'Shapes are [height, width, channels]; change the size or the channels of the recipe.' },
  );
}
