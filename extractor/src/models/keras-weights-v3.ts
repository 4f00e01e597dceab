// Weights of a .keras archive (Keras 3, and Keras 2.12 and later): groups that follow the layers' objects, `layers/conv2d_1/vars/0`.
// The file counts the layers of a class instead of naming them; newer versions add each one's name as an attribute.
import { Refusal } from '../../../shared/src/errors.ts';
import type { LayerWeight, LayerWeights } from '../layer-graph.ts';
import type { Hdf5Group } from './hdf5-content.ts';
import type { KerasTree } from './keras-tree.ts';

/**
 * @param root what `readHdf5` gave for model.weights.h5
 * @throws Refusal `model-unreadable` where weights and layers do not belong together
 */
export function readV3Weights(root: Hdf5Group, tree: KerasTree): LayerWeights {
  const found = new Map<string, readonly LayerWeight[]>();
  collect(root, tree, found);
  return found;
}

/** Groups in which a model keeps its layers; Keras 2.12 and 2.13 used the second, a wrapper has the layer itself. */
const CONTAINERS = ['layers', '_layer_checkpoint_dependencies'] as const;

function collect(group: Hdf5Group, node: KerasTree, found: Map<string, readonly LayerWeight[]>): void {
  if (node.children === undefined) {
    const weights = weightsBelow(group, node.className);
    if (weights.length > 0) found.set(node.path, weights);
    return;
  }
  const container = CONTAINERS.map(name => group.groups.get(name)).find(candidate => candidate !== undefined);
  const wrapped = group.groups.get('layer');
  if (container === undefined) {
    if (wrapped !== undefined) collect(wrapped, node, found);
    return;
  }
  const groups = groupsOfLayers(container, node.children);
  for (const [child, own] of groups) collect(own, child, found);
  const known = new Set([...groups.values()].map(({ path }) => path));
  const unknown = [...container.groups.values()].find(
    other => !known.has(other.path) && weightsBelow(other, '').length > 0,
  );
  if (unknown === undefined) return;
  throw new Refusal(
    'model-unreadable',
    `Expected weights of the layers of '${node.name}' but received those of '${layerName(unknown) ?? unknown.path}'`,
    { hint: "The file's weights are of another model than its config describes: save the model again." },
  );
}

/** Which group is whose: by the layers' names where the file has them, else by class and number. */
function groupsOfLayers(container: Hdf5Group, layers: readonly KerasTree[]): ReadonlyMap<KerasTree, Hdf5Group> {
  const byName = new Map<string, Hdf5Group>();
  for (const group of container.groups.values()) {
    const name = layerName(group);
    if (name !== undefined) byName.set(name, group);
  }
  const found = new Map<KerasTree, Hdf5Group>();
  for (const [key, ofClass] of groupByKey(layers)) {
    const numbered = numberedGroups(container, key, ofClass.length);
    for (const [index, layer] of ofClass.entries()) {
      const group = byName.get(layer.name) ?? (byName.size === 0 ? numbered.get(index) : undefined);
      if (group !== undefined) found.set(layer, group);
    }
  }
  return found;
}

function layerName(group: Hdf5Group): string | undefined {
  const name = group.groups.get('vars')?.attributes.get('name');
  return typeof name === 'string' ? name : undefined;
}

/** Layers by the stem of their groups' names. Operations are no layers: the file does not count them. */
function groupByKey(layers: readonly KerasTree[]): ReadonlyMap<string, readonly KerasTree[]> {
  const byKey = new Map<string, KerasTree[]>();
  for (const layer of layers.filter(({ className }) => !className.includes('.'))) {
    const key = snakeCase(layer.className);
    byKey.set(key, [...(byKey.get(key) ?? []), layer]);
  }
  return byKey;
}

/**
 * `conv2d`, `conv2d_1` … by the layers' positions among those of their class. Keras 2.12 counted a layer with weights
 * twice: there the order alone counts, and it tells only if every layer of the class is there.
 */
function numberedGroups(container: Hdf5Group, key: string, count: number): ReadonlyMap<number, Hdf5Group> {
  const numbered = new Map<number, Hdf5Group>();
  for (const [name, group] of container.groups) {
    if (name === key) numbered.set(0, group);
    else if (name.startsWith(`${key}_`) && /^[1-9]\d*$/.test(name.slice(key.length + 1))) {
      numbered.set(Number(name.slice(key.length + 1)), group);
    }
  }
  const inOrder = [...numbered].sort(([a], [b]) => a - b);
  if ((inOrder.at(-1)?.[0] ?? 0) < count || inOrder.length !== count) return numbered;
  return new Map(inOrder.map(([, group], index) => [index, group]));
}

/** Keras' own rule for the names of groups: `Conv2DTranspose` → `conv2d_transpose`. A registered class is `package>Class`. */
export function snakeCase(className: string): string {
  const name = className.slice(className.lastIndexOf('>') + 1).replace(/\W+/g, '');
  return name
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

/** State of random generators, which is no weight of the layer; softmax and dropout layers inside others have nothing else. */
const NOT_WEIGHTS = /^(seed_generator|random_generator)$/;

/** Layers inside a layer, in the order in which Keras lists their weights; of others the order of their names. */
const PART_ORDER: ReadonlyMap<string, readonly string[]> = new Map([
  ['MultiHeadAttention', ['query_dense', 'key_dense', 'value_dense', 'output_dense']],
  ['GroupedQueryAttention', ['query_dense', 'key_dense', 'value_dense', 'output_dense']],
  ['GroupQueryAttention', ['query_dense', 'key_dense', 'value_dense', 'output_dense']],
  ['Bidirectional', ['forward_layer', 'backward_layer']],
]);

/** A layer's own weights, then those of the layers inside it. */
function weightsBelow(group: Hdf5Group, className: string): readonly LayerWeight[] {
  const own = [...(group.groups.get('vars')?.datasets ?? [])]
    .sort(([a], [b]) => Number(a) - Number(b))
    .filter(([, dataset]) => dataset.dtype !== 'other')
    .map(([, { path, shape, data }]) => ({ name: path, shape, data }));
  const order = PART_ORDER.get(className.slice(className.lastIndexOf('>') + 1)) ?? [];
  const rank = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
  const parts = [...group.groups]
    .map(([key, part]) => ({ name: key.replace(/^_+/, ''), part }))
    .filter(({ name }) => name !== 'vars' && !NOT_WEIGHTS.test(name))
    .sort((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name, 'en', { numeric: true }));
  return [...own, ...parts.flatMap(({ part }) => weightsBelow(part, ''))];
}
