// Einstein sums of one or two tensors by transposing, one matrix product and transposing back: fast on every backend.
import type * as tf from '@tensorflow/tfjs';
import type { Tfjs } from '../tfjs.ts';
import type { Shape } from './layer-definition.ts';

/** An equation without its ellipsis: a letter per axis. */
export interface Equation {
  readonly inputs: readonly string[];
  readonly output: string;
}

/** Letters that no equation of Keras uses, for the axes that an ellipsis stands for. */
const ELLIPSIS_LETTERS = 'ZYXWVUTSRQ';

/**
 * @param ranks of the input tensors
 * @example parseEquation('...x,xy->...y', [3, 2]) // { inputs: ['ZYx', 'xy'], output: 'ZYy' }
 */
export function parseEquation(equation: string, ranks: readonly number[]): Equation {
  const [left = '', right] = equation.replace(/\s/g, '').split('->');
  if (right === undefined) throw new Error(`Expected an equation with an output but received '${equation}'`);
  let hidden = '';
  const inputs = left.split(',').map((term, index) => {
    const count = (ranks[index] ?? 0) - term.replace('...', '').length;
    const letters = ELLIPSIS_LETTERS.slice(0, Math.max(count, 0));
    if (term.includes('...')) hidden = letters.length > hidden.length ? letters : hidden;
    return term.replace('...', letters);
  });
  return { inputs, output: right.replace('...', hidden) };
}

/** Sizes of the letters that the shapes give. */
export function letterSizes(terms: readonly string[], shapes: readonly Shape[]): ReadonlyMap<string, number | null> {
  const sizes = new Map<string, number | null>();
  terms.forEach((term, index) => {
    [...term].forEach((letter, axis) => {
      const size = shapes[index]?.[axis] ?? null;
      if (size !== null || !sizes.has(letter)) sizes.set(letter, size);
    });
  });
  return sizes;
}

export function einsumShape({ inputs, output }: Equation, shapes: readonly Shape[]): Shape {
  const sizes = letterSizes(inputs, shapes);
  return [...output].map(letter => sizes.get(letter) ?? null);
}

export function einsum(tf: Tfjs, equation: Equation, tensors: readonly tf.Tensor[]): tf.Tensor {
  const [a, b] = tensors;
  const [left = '', right = ''] = equation.inputs;
  if (a === undefined) throw new Error('Expected a tensor');
  if (b === undefined) return rearrange(tf, sumOut(tf, a, left, equation.output), equation.output);
  const { output } = equation;
  const first = sumOut(tf, a, left, output + right);
  const second = sumOut(tf, b, right, output + left);
  const shared = [...first.letters].filter(letter => second.letters.includes(letter));
  const batch = shared.filter(letter => output.includes(letter)).join('');
  const inner = shared.filter(letter => !output.includes(letter)).join('');
  const rows = without(first.letters, batch + inner);
  const columns = without(second.letters, batch + inner);
  const sizes = letterSizes([first.letters, second.letters], [first.tensor.shape, second.tensor.shape]);
  const size = (letters: string): number =>
    [...letters].reduce((product, letter) => product * (sizes.get(letter) ?? 1), 1);
  const x = rearrange(tf, first, batch + rows + inner).reshape([size(batch), size(rows), size(inner)]);
  const y = rearrange(tf, second, batch + inner + columns).reshape([size(batch), size(inner), size(columns)]);
  const letters = batch + rows + columns;
  const tensor = tf.matMul(x, y).reshape([...letters].map(letter => sizes.get(letter) ?? 1));
  return rearrange(tf, { tensor, letters }, output);
}

interface Lettered {
  readonly tensor: tf.Tensor;
  readonly letters: string;
}

/** Sums over the axes that nothing else mentions. */
function sumOut(tf: Tfjs, tensor: tf.Tensor, letters: string, kept: string): Lettered {
  if (new Set(letters).size < letters.length) throw new Error(`Expected each axis once but received '${letters}'`);
  const axes = [...letters].flatMap((letter, axis) => (kept.includes(letter) ? [] : [axis]));
  if (axes.length === 0) return { tensor, letters };
  return { tensor: tf.sum(tensor, axes), letters: [...letters].filter(letter => kept.includes(letter)).join('') };
}

function rearrange(tf: Tfjs, { tensor, letters }: Lettered, order: string): tf.Tensor {
  return letters === order
    ? tensor
    : tf.transpose(
        tensor,
        [...order].map(letter => letters.indexOf(letter)),
      );
}

function without(letters: string, removed: string): string {
  return [...letters].filter(letter => !removed.includes(letter)).join('');
}
