// What a model's graph does to its own input, so that no recipe does it again: for choose-recipe.ts.
import type { InputPreparation, Layer, LayerTable } from './layer-table.ts';

export interface GraphPreparation {
  /** The first of them is named to the user. */
  readonly layers: readonly InputPreparation[];
  /** True where the model wants 0-255 pixels; undefined where nothing tells. */
  readonly takesLevels: true | undefined;
  /** It subtracts a mean and divides by a deviation: doing so before it would be twice. */
  readonly isNormalizing: boolean;
}

/** A Rescaling of unknown numbers: it nearly always takes pixels, while a Normalization takes what it was adapted to. */
const SCALES = 'scales its input';
const PREPARING = ['Rescaling', 'Normalization'];
/** Layers that leave the range of the values as it is and may stand before the preparation. */
const PASSING = /^(Random\w+|Resizing|CenterCrop|Identity|Dropout|GaussianNoise)$/;

/** Undefined for a graph that takes its input as it comes. */
export function findPreparation(table: LayerTable): GraphPreparation | undefined {
  const layers = table.preprocessing?.length ? table.preprocessing : preparingLayers(table);
  const [first] = layers;
  if (first === undefined) return undefined;
  return {
    layers,
    takesLevels: takesLevels(first),
    isNormalizing: layers.some(({ layer, does }) => does.includes('x - ') || classOf(table, layer) === 'Normalization'),
  };
}

/**
 * By the first number of the form that all readers give it, `x * 0.003922`, `x / 255`, `(x - [123.7, …]) / std`: what is
 * divided by 50 or more, or is centred on more than 2, is no value of about 1. Undefined where it doesn't tell.
 */
function takesLevels({ does }: InputPreparation): true | undefined {
  if (does === SCALES) return true;
  const [, operator, text] = /^\(?x ([*/-]) \[?(-?[\d.]+(?:e[+-]?\d+)?)/.exec(does) ?? [];
  const number = Math.abs(Number(text));
  const isLarge = operator === '*' ? number <= 1 / 50 : operator === '/' ? number >= 50 : number > 2;
  return isLarge ? true : undefined;
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
    does: className === 'Rescaling' ? SCALES : 'normalises its input',
  }));
}

function onlyNext(layers: readonly Layer[], from: Layer): Layer | undefined {
  const [next, ...others] = layers.filter(({ inbound }) => inbound.includes(from.name));
  return others.length === 0 && next?.inbound.length === 1 ? next : undefined;
}

function classOf({ layers }: LayerTable, name: string): string | undefined {
  return layers.find(layer => layer.name === name)?.className;
}
