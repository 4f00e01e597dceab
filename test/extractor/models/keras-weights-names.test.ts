// Which layer of a nested model a weight belongs to, where the names are not simply the layers'.
import { expect, test } from 'vitest';
import type { KerasTree } from '../../../extractor/src/models/keras-tree.ts';
import { assignByName } from '../../../extractor/src/models/keras-weights-names.ts';

const layer = (name: string, className = 'Conv2D', path = name): KerasTree => ({
  name,
  path,
  className,
  trainable: true,
});
const model = (name: string, ...children: readonly KerasTree[]): KerasTree => ({
  ...layer(name, 'Functional'),
  children,
});

function assigned(tree: KerasTree, names: readonly string[]): Record<string, readonly string[]> {
  const found = assignByName(
    tree,
    names.map(name => ({ name, shape: [1], data: undefined })),
  );
  return Object.fromEntries([...found].map(([path, own]) => [path, own.map(({ name }) => name)]));
}

test('trainable weights come before the others, and each layer gets its own in that order', () => {
  const tree = model('m', layer('c'), layer('b', 'BatchNormalization'));
  const names = ['c/kernel:0', 'b/gamma:0', 'b/beta:0', 'b/moving_mean:0', 'b/moving_variance:0'];
  expect(assigned(tree, names)).toEqual({ c: ['c/kernel:0'], b: names.slice(1) });
});

test('names of the models around it may stand before a name, and tell layers of one name apart', () => {
  const tree = model('m', model('x', layer('c', 'Conv2D', 'x/c')), model('y', layer('c', 'Conv2D', 'y/c')));
  expect(assigned(tree, ['m/y/c/kernel', 'm/x/c/kernel'])).toEqual({
    'x/c': ['m/x/c/kernel'],
    'y/c': ['m/y/c/kernel'],
  });
});

test('a layer inside a layer may have the name of another layer', () => {
  const tree = model('m', layer('query', 'Dense'), layer('attention', 'MultiHeadAttention'));
  const names = ['query/kernel', 'attention/query/kernel', 'attention/query/bias'];
  expect(assigned(tree, names)).toEqual({ query: ['query/kernel'], attention: names.slice(1) });
});

test('a second copy of a model has numbered names, which may be those of other layers', () => {
  const tree = model('m', layer('c'), layer('c_1'));
  expect(assigned(tree, ['c_1/kernel:0', 'c_1_1/kernel:0'])).toEqual({ c: ['c_1/kernel:0'], c_1: ['c_1_1/kernel:0'] });
});

test('unknown names go by order, as Keras loads them, if every layer with weights has some', () => {
  const tree = model('m', layer('i', 'InputLayer'), layer('c'), layer('r', 'ReLU'), layer('b', 'BatchNormalization'));
  const names = ['conv2d_7/kernel:0', 'bn_7/gamma:0', 'bn_7/moving_mean:0'];
  expect(assigned(tree, names)).toEqual({ c: names.slice(0, 1), b: names.slice(1) });
});

test('unknown names that do not fit the layers in order are refused', () => {
  const tree = model('m', layer('c'), layer('b', 'BatchNormalization'));
  const message = "Expected weights for c, b of 'm' but received those of";
  expect(() => assigned(tree, ['x/kernel:0'])).toThrow(`${message} x`);
  expect(() => assigned(tree, ['x/kernel:0', 'y/kernel:0'])).toThrow(`${message} x, y`);
});
