// Finds the layer of each weight in a flat list by the weights' names, or by their order where names do not tell. For nested models,
// whose weights Keras writes as one list, and for TensorFlow.js models.
import { Refusal } from '../../../shared/src/errors.ts';
import type { LayerWeight, LayerWeights } from '../layer-graph.ts';
import { type KerasLeaf, type KerasTree, leavesOf, mayHaveWeights } from './keras-tree.ts';

/**
 * Keras lists all trainable weights of a model, then the others, each in the order of the layers: taking those of one
 * layer in the order of the list gives the layer's own order, frozen or not.
 * @param tree the nested model, or the whole one
 * @throws Refusal `model-unreadable` where neither names nor order fit the layers
 */
export function assignByName(tree: KerasTree, weights: readonly LayerWeight[]): LayerWeights {
  const leaves = leavesOf(tree);
  const scopes = groupByScope(weights);
  const found = byNames(leaves, scopes, 0) ?? byNames(leaves, scopes, commonSuffix(scopes)) ?? byOrder(leaves, scopes);
  if (found !== undefined) return found;
  const names = [...scopes.keys()];
  const expected = leaves.filter(({ node }) => mayHaveWeights(node.className)).map(({ node }) => node.path);
  throw new Refusal(
    'model-unreadable',
    `Expected weights for ${list(expected)} of '${tree.name}' but received those of ${list(names)}`,
    { hint: 'The file holds weights of another model than its config describes: save the model again.' },
  );
}

type Scopes = ReadonlyMap<string, readonly LayerWeight[]>;

/** `conv1/kernel:0` is in the scope `conv1`, `mha/query/kernel:0` in `mha/query`. */
function groupByScope(weights: readonly LayerWeight[]): Scopes {
  const scopes = new Map<string, LayerWeight[]>();
  for (const weight of weights) {
    const scope = weight.name.slice(0, Math.max(0, weight.name.lastIndexOf('/')));
    scopes.set(scope, [...(scopes.get(scope) ?? []), weight]);
  }
  return scopes;
}

/**
 * Names count only if every one leads to one layer: Keras numbers the names of a second copy of a model (`conv2d_1` for
 * `conv2d`), and such a name may be that of another layer.
 */
function byNames(
  leaves: readonly KerasLeaf[],
  scopes: Scopes,
  suffixLength: number | undefined,
): LayerWeights | undefined {
  if (suffixLength === undefined) return undefined;
  const found = new Map<string, LayerWeight[]>();
  for (const [scope, weights] of scopes) {
    const leaf = leafOfScope(leaves, scope.slice(0, scope.length - suffixLength).split('/'));
    if (leaf === undefined) return undefined;
    found.set(leaf.node.path, [...(found.get(leaf.node.path) ?? []), ...weights]);
  }
  return found;
}

/** The layer whose name is in the scope, with most of its models' names before it; of several the first in the scope. */
function leafOfScope(leaves: readonly KerasLeaf[], scope: readonly string[]): KerasLeaf | undefined {
  let best: { leaf: KerasLeaf; score: number; position: number } | undefined;
  let several = false;
  for (const leaf of leaves) {
    const parts = leaf.node.name.split('/');
    for (let position = 0; position + parts.length <= scope.length; position++) {
      if (!parts.every((part, i) => part === scope[position + i])) continue;
      const score = matchingAncestors(leaf, scope.slice(0, position));
      const better = best === undefined || score > best.score || (score === best.score && position < best.position);
      if (better) {
        best = { leaf, score, position };
        several = false;
      } else if (best !== undefined && score === best.score && position === best.position) {
        several = true;
      }
    }
  }
  return several ? undefined : best?.leaf;
}

/** How many of the names before the layer's are those of the models around it, from the inside. */
function matchingAncestors(leaf: KerasLeaf, before: readonly string[]): number {
  const models = leaf.ancestors.map(({ name }) => name).reverse();
  const names = [...before].reverse();
  const end = names.findIndex((name, i) => name !== models[i]);
  return end === -1 ? names.length : end;
}

/** Length of the `_1` that all scopes end in. */
function commonSuffix(scopes: Scopes): number | undefined {
  const suffixes = [...scopes.keys()].map(scope => /_\d+$/.exec(scope)?.[0]);
  const [first] = suffixes;
  return first !== undefined && suffixes.every(suffix => suffix === first) ? first.length : undefined;
}

/** As Keras itself loads: the n-th scope is that of the n-th layer with weights. Only for layers of one scope each. */
function byOrder(leaves: readonly KerasLeaf[], scopes: Scopes): LayerWeights | undefined {
  const weighted = leaves.filter(({ node }) => mayHaveWeights(node.className));
  if (weighted.length !== scopes.size || scopes.has('')) return undefined;
  const found = new Map<string, readonly LayerWeight[]>();
  for (const [index, weights] of [...scopes.values()].entries()) {
    const node = weighted[index]?.node;
    if (node === undefined || hasMovingMean(weights) !== (node.className === 'BatchNormalization')) return undefined;
    found.set(node.path, weights);
  }
  return found;
}

function hasMovingMean(weights: readonly LayerWeight[]): boolean {
  return weights.some(({ name }) => /\/moving_mean(:0)?$/.test(name));
}

function list(names: readonly string[]): string {
  return names.length <= 4 ? names.join(', ') : `${names.slice(0, 4).join(', ')} and ${names.length - 4} more`;
}
