// Layer tables as a reader would give them, for tests of what is decided by layers alone.
import { join } from 'node:path';
import type { InputPreparation, Layer, LayerTable } from '../../extractor/src/layer-table.ts';
import type { ModelFile } from '../../extractor/src/model.ts';

export interface ChainOptions {
  /** Name or name:Class, first to last; the last gives the output. */
  readonly layers: readonly string[];
  readonly input?: readonly (number | null)[];
  /** Shape of the last layer's output. */
  readonly output?: readonly number[];
  readonly preprocessing?: readonly InputPreparation[];
}

/** Layers in a row behind an input layer. */
export function chainTable({ layers, input = [224, 224, 3], output = [], preprocessing }: ChainOptions): LayerTable {
  const names = ['image:InputLayer', ...layers].map(layer => layer.split(':'));
  const rows = names.map(
    ([name = '', className = 'Conv2D'], index): Layer => ({
      index,
      name,
      className,
      outputShape: index === 0 ? input : index === layers.length ? output : [],
      parameters: 0,
      inbound: index === 0 ? [] : [names[index - 1]?.[0] ?? ''],
    }),
  );
  return {
    layers: rows,
    inputShape: input,
    outputs: [rows.at(-1)?.name ?? ''],
    ...(preprocessing && { preprocessing }),
  };
}

/** A model file of that table; what stands beside it in its folder is real. */
export function modelOf(table: LayerTable, folder: string): ModelFile {
  const shapesFor = (): never => {
    throw new Error('Expected a recipe to be chosen by the table alone');
  };
  return { path: join(folder, 'model.json'), format: 'tfjs-layers', sha256: '', table, shapesFor };
}
