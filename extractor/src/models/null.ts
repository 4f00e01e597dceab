// Reader of `null:32x32x16`, a model without a file: one layer `features` of that shape. It measures the flow alone.
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { Refusal } from '../../../shared/src/errors.ts';
import type { ModelFile, ModelReader } from '../model.ts';
import { unknownLayer } from '../unknown-layer.ts';

export const NULL_LAYER = 'features';

export const nullReader: ModelReader = {
  recognises: async path => basename(path).startsWith('null:'),
  open: openNull,
};

/** The shape that `null:8` or `null:32x32x16` names, also where the name was made an absolute path. */
export function parseNullModel(path: string): readonly number[] {
  const name = basename(path);
  const shape = /^null:\d+(x\d+)*$/.test(name) ? name.slice('null:'.length).split('x').map(Number) : [];
  if (shape.length > 0 && shape.every(axis => axis > 0)) return shape;
  throw new Refusal('model-unreadable', `Expected a shape such as null:8 or null:32x32x16 but received '${name}'`);
}

async function openNull(path: string): Promise<ModelFile> {
  const shape = parseNullModel(path);
  const name = `null:${shape.join('x')}`;
  return {
    path: name,
    format: 'null',
    sha256: createHash('sha256').update(name).digest('hex'),
    table: {
      layers: [{ index: 0, name: NULL_LAYER, className: 'Null', outputShape: shape, parameters: 0, inbound: [] }],
      inputShape: [null, null, 3],
      outputs: [NULL_LAYER],
    },
    shapesFor: async (_inputShape, layers) => layers.map(layer => requireNullLayer(layer, shape)),
  };
}

/** The shape of the only layer; refuses (`unknown-layer`) any other name. */
export function requireNullLayer(layer: string, shape: readonly number[]): readonly number[] {
  if (layer === NULL_LAYER) return shape;
  throw unknownLayer(layer, [NULL_LAYER], { valid: `A null model has one layer: '${NULL_LAYER}'`, isInMemory: true });
}
