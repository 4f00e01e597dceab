// The layers of a config as they are nested in it, for finding their weights and their order. For read-graph.ts.
import type { KerasTree } from '../models/keras-tree.ts';
import { type ContainerSpec, containerOf } from './containers.ts';

/** @param prefix path of the model, with a slash at its end; empty for the outermost */
export function treeOf(model: ContainerSpec, prefix: string): KerasTree {
  return {
    name: model.name,
    path: prefix.replace(/\/$/, ''),
    className: model.kind === 'sequential' ? 'Sequential' : 'Functional',
    trainable: true,
    children: model.layers.map(layer => {
      const path = prefix + layer.name;
      const nested = containerOf(layer);
      const trainable = layer.config.trainable !== false;
      if (nested === undefined) return { name: layer.name, path, className: layer.className, trainable };
      return { ...treeOf(nested, `${path}/`), className: layer.className, trainable };
    }),
  };
}

/** Paths of all layers that are no models, in the order of the config. */
export function pathsOf(tree: KerasTree): readonly string[] {
  return (tree.children ?? []).flatMap(child => (child.children === undefined ? [child.path] : pathsOf(child)));
}
