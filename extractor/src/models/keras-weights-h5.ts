// Weights of a Keras .h5 file, as Keras 2, tf_keras and Keras 3 write it: a group a layer of the outer model, each with the
// list of its weights' names.
import { Refusal } from '../../../shared/src/errors.ts';
import type { LayerWeight, LayerWeights } from '../layer-graph.ts';
import { datasetAt, groupAt, type Hdf5Group, listAttribute } from './hdf5-content.ts';
import type { KerasTree } from './keras-tree.ts';
import { assignByName } from './keras-weights-names.ts';

/** Weights that belong to no layer; a functional or sequential model has none of them. */
const OF_THE_MODEL = 'top_level_model_weights';

/**
 * @param root what `readHdf5` gave for the file
 * @throws Refusal `model-unreadable` where weights and layers do not belong together
 */
export function readH5Weights(root: Hdf5Group, tree: KerasTree): LayerWeights {
  const weightsGroup = groupAt(root, 'model_weights');
  if (weightsGroup === undefined) {
    throw mismatch(
      "Expected a group 'model_weights' but received a file without one",
      'Save the whole model, not its config alone.',
    );
  }
  const found = new Map<string, readonly LayerWeight[]>();
  const layers = new Map((tree.children ?? []).map(layer => [layer.name, layer]));
  for (const name of layerNames(weightsGroup)) {
    const group = groupAt(weightsGroup, name);
    const weights = group === undefined ? [] : weightsOf(group);
    if (weights.length === 0) continue;
    const layer = layers.get(name);
    if (layer === undefined) {
      throw mismatch(
        `Expected weights of the config's layers but received those of '${name}'`,
        'Save the model again.',
      );
    }
    const perLayer = layer.children === undefined ? new Map([[layer.path, weights]]) : assignByName(layer, weights);
    for (const [path, own] of perLayer) found.set(path, own);
  }
  return found;
}

/** The list that Keras wrote, or where there is none the groups. */
function layerNames(group: Hdf5Group): readonly string[] {
  const names = listAttribute(group, 'layer_names');
  return (names.length > 0 ? names : [...group.groups.keys()]).filter(name => name !== OF_THE_MODEL);
}

function weightsOf(group: Hdf5Group): readonly LayerWeight[] {
  return listAttribute(group, 'weight_names').map(name => {
    const dataset = datasetAt(group, name);
    if (dataset === undefined || dataset.dtype === 'other') {
      throw mismatch(
        `Expected numbers at ${group.path}/${name} but received ${dataset === undefined ? 'nothing' : 'another type'}`,
        'The file may be damaged: copy or save the model again.',
      );
    }
    return { name, shape: dataset.shape, data: dataset.data };
  });
}

function mismatch(message: string, hint: string): Refusal {
  return new Refusal('model-unreadable', message, { hint });
}
