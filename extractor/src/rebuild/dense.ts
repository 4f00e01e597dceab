// EinsumDense: a dense layer along any axes, and the projections of attention layers.
import type { JsonObject } from '../layer-graph.ts';
import { numbersOf, textIn } from './config-values.ts';
import { activate } from './convolution.ts';
import { type Equation, einsum, einsumShape, letterSizes, parseEquation } from './einsum.ts';
import { type LayerDefinition, type LayerDefinitions, onlyInput, type Shape } from './layer-definition.ts';

const einsumDense: LayerDefinition = {
  weightNames: ({ config }) => ['kernel', ...(hasBias(config) ? ['bias'] : [])],
  weightShapes: ({ config }, inputs) => {
    const equation = equationOf(config, onlyInput(inputs).length);
    const sizes = sizesOf(config, equation, onlyInput(inputs));
    const kernel = [...(equation.inputs[1] ?? '')].map(letter => known(sizes, letter));
    const axes = textIn(config, 'bias_axes', '');
    const first = Math.min(...[...axes].map(letter => equation.output.indexOf(letter)));
    const bias = [...equation.output.slice(first)].map(letter => (axes.includes(letter) ? known(sizes, letter) : 1));
    return [kernel, bias];
  },
  outputShapes: ({ config }, inputs) => {
    const equation = equationOf(config, onlyInput(inputs).length);
    const sizes = sizesOf(config, equation, onlyInput(inputs));
    const kernel = [...(equation.inputs[1] ?? '')].map(letter => sizes.get(letter) ?? null);
    return [einsumShape(equation, [onlyInput(inputs), kernel])];
  },
  unsupported: ({ config }) =>
    /\w\.\.\.(,|$)/.test(textIn(config, 'equation', '')) ? 'an equation that ends in an ellipsis' : undefined,
  call: ({ tf, settings, inputs, weights }) => {
    const x = onlyInput(inputs);
    const [kernel, bias] = weights;
    if (kernel === undefined) throw new Error('Expected a kernel');
    const y = einsum(tf, equationOf(settings.config, x.rank), [x, kernel]);
    return activate(tf, settings, bias === undefined ? y : tf.add(y, bias));
  },
};

export const DENSE_LAYERS: LayerDefinitions = { EinsumDense: einsumDense };

function hasBias(config: JsonObject): boolean {
  return typeof config.bias_axes === 'string';
}

function equationOf(config: JsonObject, rank: number): Equation {
  const equation = textIn(config, 'equation', '');
  const kernelRank = equation.split('->')[0]?.split(',')[1]?.length ?? 0;
  return parseEquation(equation, [rank, kernelRank]);
}

/** By the input's shape, and the rest by `output_shape`, which leaves out the batch axis. */
function sizesOf(config: JsonObject, equation: Equation, input: Shape): ReadonlyMap<string, number | null> {
  const given = Array.isArray(config.output_shape) ? config.output_shape : (numbersOf(config.output_shape) ?? []);
  const letters = equation.output.slice(-given.length);
  const output = (given as readonly (number | null)[]).map(size => (typeof size === 'number' ? size : null));
  return letterSizes([letters, equation.inputs[0] ?? ''], [output, input]);
}

function known(sizes: ReadonlyMap<string, number | null>, letter: string): number {
  const size = sizes.get(letter);
  if (typeof size === 'number') return size;
  throw new Error(`Expected a fixed size for the axis '${letter}' of the equation`);
}
