// Readers that are broken on purpose, as changes of what a right reader gave: graph and weights, before the rebuild.
import type { GraphLayer, LayerCall, LayerGraph, LayerWeight, LayerWeights } from '../../extractor/src/layer-graph.ts';

export interface ReadModel {
  readonly graph: LayerGraph;
  readonly weights: LayerWeights;
}

export interface Mutant {
  readonly name: string;
  /** The golden models that must betray it. */
  readonly betrayedBy: readonly string[];
  /** Undefined where the model has nothing of the kind. */
  mutate(model: ReadModel): ReadModel | undefined;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'epsilon ten times as large',
    betrayedBy: ['resnet-keras', 'densenet-keras', 'efficientnet-v2-tfkeras'],
    mutate: model =>
      withLayers(model, ({ config }) =>
        typeof config.epsilon === 'number' ? { ...config, epsilon: 10 * config.epsilon } : undefined,
      ),
  },
  {
    name: 'padding shifted by one',
    betrayedBy: ['resnet-keras', 'efficientnet-keras'],
    mutate: model =>
      withLayers(model, ({ className, config }) => {
        if (className !== 'ZeroPadding2D') return undefined;
        const [[top, bottom], [left, right]] = config.padding as [[number, number], [number, number]];
        return { ...config, padding: [shift(top, bottom), shift(left, right)] };
      }),
  },
  {
    name: 'the two inputs of a Subtract swapped',
    betrayedBy: ['shared-keras', 'shared-tfkeras'],
    mutate: model => withSwappedInputs(model, 'Subtract'),
  },
  {
    name: 'the inputs of a Concatenate swapped',
    betrayedBy: ['densenet-keras', 'nasnet-keras'],
    mutate: model => withSwappedInputs(model, 'Concatenate'),
  },
  {
    name: 'one convolution kernel with height and width transposed',
    betrayedBy: ['sequential-keras', 'resnet-v2-tfkeras'],
    mutate: model => withOneWeight(model, 'Conv2D', 4),
  },
  {
    name: 'one dense kernel transposed',
    betrayedBy: ['sequential-keras', 'resnet-keras'],
    mutate: model => withOneWeight(model, 'Dense', 2),
  },
];

function shift(before: number, after: number): [number, number] {
  return after > 0 ? [before + 1, after - 1] : [before - 1, after + 1];
}

function withLayers(
  { graph, weights }: ReadModel,
  change: (layer: GraphLayer) => GraphLayer['config'] | undefined,
): ReadModel | undefined {
  const layers = graph.layers.map(layer => ({ layer, config: change(layer) }));
  if (layers.every(({ config }) => config === undefined)) return undefined;
  return {
    graph: {
      ...graph,
      layers: layers.map(({ layer, config }) => (config === undefined ? layer : { ...layer, config })),
    },
    weights,
  };
}

/** Of the first call of such a layer. */
function withSwappedInputs({ graph, weights }: ReadModel, className: string): ReadModel | undefined {
  const target = graph.calls.findIndex(({ layer, inputs }) => {
    return graph.layers[layer]?.className === className && inputs.length > 1;
  });
  if (target === -1) return undefined;
  const swap = (call: LayerCall): LayerCall => {
    const [first, second, ...others] = call.inputs;
    return first === undefined || second === undefined ? call : { ...call, inputs: [second, first, ...others] };
  };
  return { graph: { ...graph, calls: graph.calls.map((call, i) => (i === target ? swap(call) : call)) }, weights };
}

/** The first weight of that rank in the last layer of that class: its values in the order of its transposed form. */
function withOneWeight({ graph, weights }: ReadModel, className: string, rank: number): ReadModel | undefined {
  const owner = graph.layers.findLast(
    layer =>
      layer.className === className &&
      weights.get(layer.name)?.some(({ shape }) => shape.length === rank && (shape[0] ?? 0) > 1),
  );
  if (owner === undefined) return undefined;
  const changed = (weights.get(owner.name) ?? []).map(weight =>
    weight.shape.length === rank ? transposed(weight) : weight,
  );
  return { graph, weights: new Map([...weights, [owner.name, changed]]) };
}

/** The first two axes exchanged, the shape kept: what a reader gives that takes rows for columns. */
function transposed(weight: LayerWeight): LayerWeight {
  const [rows = 1, columns = 1, ...rest] = weight.shape;
  const size = rest.reduce((product, axis) => product * axis, 1);
  const given = weight.data;
  if (given === undefined) return weight;
  const data = new Float32Array(given.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const from = (row * columns + column) * size;
      data.set(given.subarray(from, from + size), (column * rows + row) * size);
    }
  }
  return { ...weight, data };
}
