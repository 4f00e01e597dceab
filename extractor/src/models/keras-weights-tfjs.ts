// Weights of a TensorFlow.js layers model as float32 and by layer, decoded as TensorFlow.js does, without its tensors.
import { Refusal } from '../../../shared/src/errors.ts';
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import type { LayerWeight, LayerWeights } from '../layer-graph.ts';
import type { Hdf5Dataset, Hdf5Group } from './hdf5-content.ts';
import type { KerasTree } from './keras-tree.ts';
import { assignByName } from './keras-weights-names.ts';
import { readV3Weights } from './keras-weights-v3.ts';
import type { TfjsFiles } from './tfjs-files.ts';
import { decodeWeight } from './tfjs-weight-values.ts';
import { ELEMENT_BYTES, readWeights, type WeightSpec } from './tfjs-weights.ts';

export interface TfjsWeightOptions {
  /** Read the numbers too, not only the shapes of the manifest. */
  readonly data: boolean;
}

/**
 * @param files what `readTfjsFiles` gave: the files are there and have the manifest's size
 * @throws Refusal `model-unreadable`
 */
export async function readTfjsWeights(
  files: TfjsFiles,
  tree: KerasTree,
  options: TfjsWeightOptions,
): Promise<LayerWeights> {
  const bytes = options.data ? await readWeights(files.weightFiles) : undefined;
  const weights: LayerWeight[] = [];
  let offset = 0;
  for (const spec of files.weightSpecs) {
    const stored = storedBytes(spec);
    const data = bytes === undefined ? undefined : decodeWeight(spec, bytes.slice(offset, offset + stored));
    weights.push({ name: spec.name, shape: spec.shape, data });
    offset += stored;
  }
  // Converted from a .keras archive the names are the paths of its weights.
  const isV3 = weights.length > 0 && weights.every(({ name }) => /(^|\/)vars\/\d+$/.test(name));
  return isV3 ? readV3Weights(asGroups(weights), tree) : assignByName(tree, weights);
}

function storedBytes(spec: WeightSpec): number {
  const { name, shape, dtype, quantization } = spec;
  if (dtype === 'string' || dtype === 'complex64') {
    throw new Refusal('model-unreadable', `Expected weights of numbers but received ${dtype} in '${name}'`, {
      hint: 'Layers with texts, such as StringLookup, cannot be rebuilt: export the model without them.',
    });
  }
  return sizeOfShape(shape) * ELEMENT_BYTES[quantization?.dtype ?? dtype];
}

/** Flat paths as the groups that they came from. */
function asGroups(weights: readonly LayerWeight[]): Hdf5Group {
  const root = newGroup('');
  for (const { name, shape, data } of weights) {
    const parts = name.split('/');
    const last = parts.pop() ?? '';
    let group = root;
    for (const part of parts) {
      const next = group.groups.get(part) ?? newGroup(group.path === '' ? part : `${group.path}/${part}`);
      group.groups.set(part, next);
      group = next;
    }
    group.datasets.set(last, { path: name, shape, dtype: 'float32', data });
  }
  return root;
}

interface GrowingGroup extends Hdf5Group {
  readonly groups: Map<string, GrowingGroup>;
  readonly datasets: Map<string, Hdf5Dataset>;
}

function newGroup(path: string): GrowingGroup {
  return { path, attributes: new Map(), groups: new Map(), datasets: new Map() };
}
