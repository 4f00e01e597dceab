// What a model's graph does to its own input, so that no recipe does it again: for choose-recipe.ts.
import type { InputPreparation, LayerTable } from './layer-table.ts';

export interface GraphPreparation {
  /** The first of them is named to the user. */
  readonly layers: readonly InputPreparation[];
  /** True where the model wants 0-255 pixels; undefined where nothing tells. */
  readonly takesLevels: true | undefined;
  /** It subtracts a mean and divides by a deviation: doing so before it would be twice. */
  readonly isNormalizing: boolean;
}

/** Undefined for a graph that takes its input as it comes: whether it does is for the reader of its format to say. */
export function findPreparation({ preprocessing: layers = [] }: LayerTable): GraphPreparation | undefined {
  const [first] = layers;
  if (first === undefined) return undefined;
  return {
    layers,
    takesLevels: takesLevels(first),
    isNormalizing: layers.some(({ does }) => /x [+-] /.test(does)),
  };
}

/**
 * By the first number of the form that all readers give it, `x * 0.003922`, `x / 255`, `(x - [123.7, …]) / std`,
 * `x + [-103.9, …]`: what is divided by 50 or more, or is centred on more than 2, is no value of about 1. Undefined where
 * it doesn't tell.
 */
function takesLevels({ does }: InputPreparation): true | undefined {
  const [, operator, text] = /^\(?x ([*/+-]) \[?(-?[\d.]+(?:e[+-]?\d+)?)/.exec(does) ?? [];
  const number = Math.abs(Number(text));
  const isLarge = operator === '*' ? number <= 1 / 50 : operator === '/' ? number >= 50 : number > 2;
  return isLarge ? true : undefined;
}
