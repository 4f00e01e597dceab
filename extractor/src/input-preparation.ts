// What a model's graph does to its own input, so that no recipe does it again: for choose-recipe.ts.
import type { InputPreparation, Layer, LayerTable } from './layer-table.ts';

export interface GraphPreparation {
  /** The first of them is named to the user. */
  readonly layers: readonly InputPreparation[];
  /** True where the model wants 0-255 pixels; undefined where nothing tells. */
  readonly takesLevels: boolean | undefined;
  /** It subtracts a mean and divides by a deviation: doing so before it would be twice. */
  readonly isNormalizing: boolean;
}

const PREPARING = ['Rescaling', 'Normalization'];
/** Layers that leave the range of the values as it is and may stand before the preparation. */
const PASSING = /^(Random\w+|Resizing|CenterCrop|Identity|Dropout|GaussianNoise)$/;

/** Undefined for a graph that takes its input as it comes. */
export function findPreparation(table: LayerTable): GraphPreparation | undefined {
  const layers = table.preprocessing?.length ? table.preprocessing : preparingLayers(table);
  const [first] = layers;
  if (first === undefined) return undefined;
  const classNames = layers.map(({ layer }) => classOf(table, layer));
  return {
    layers,
    // A Rescaling layer nearly always takes pixels; a Normalization takes what it was adapted to.
    takesLevels: first.takesLevels ?? (classNames[0] === 'Rescaling' ? true : undefined),
    isNormalizing: classNames.includes('Normalization'),
  };
}

/** Where the reader doesn't say: the layers of those classes in a row behind the only input. */
function preparingLayers({ layers }: LayerTable): readonly InputPreparation[] {
  const inputs = layers.filter(layer => layer.inbound.length === 0);
  const [input] = inputs;
  if (input === undefined || inputs.length > 1) return [];
  const found: Layer[] = [];
  // A Sequential model may have no input layer.
  let layer: Layer | undefined = PREPARING.includes(input.className) ? input : onlyNext(layers, input);
  while (layer !== undefined) {
    if (PREPARING.includes(layer.className)) found.push(layer);
    else if (!PASSING.test(layer.className)) break;
    layer = onlyNext(layers, layer);
  }
  return found.map(({ name, className }) => ({
    layer: name,
    does: className === 'Rescaling' ? 'scales its input' : 'normalises its input',
  }));
}

function onlyNext(layers: readonly Layer[], from: Layer): Layer | undefined {
  const [next, ...others] = layers.filter(({ inbound }) => inbound.includes(from.name));
  return others.length === 0 && next?.inbound.length === 1 ? next : undefined;
}

function classOf({ layers }: LayerTable, name: string): string | undefined {
  return layers.find(layer => layer.name === name)?.className;
}
