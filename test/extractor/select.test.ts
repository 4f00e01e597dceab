// Layer selection: every way to write a layer, order, duplicates, and refusals that help.
import { describe, expect, test } from 'vitest';
import type { LayerTable } from '../../extractor/src/layer-table.ts';
import { selectLayers } from '../../extractor/src/select.ts';

const table = tableOf([
  ['input_1', 'InputLayer'],
  ['block_1_conv', 'Conv2D'],
  ['block_1_add', 'Add'],
  ['block_2_conv', 'Conv2D'],
  ['block_2_add', 'Add'],
  ['scores', 'Dense'],
]);

describe('a layer is selected by', () => {
  test.each([
    ['its exact name', ['block_2_add'], ['block_2_add']],
    ['its index', ['1'], ['block_1_conv']],
    ['its index from the end', ['-1', '-6'], ['scores', 'input_1']],
    ['a glob', ['block_*_add'], ['block_1_add', 'block_2_add']],
    ['a glob with one free character', ['block_?_conv'], ['block_1_conv', 'block_2_conv']],
    ['a regular expression', ['/_[2-9]_/'], ['block_2_conv', 'block_2_add']],
    ['a regular expression with flags', ['/SCORES/gi'], ['scores']],
    ['its class', ['class:Conv2D'], ['block_1_conv', 'block_2_conv']],
    ['the word outputs', ['outputs'], ['scores']],
  ])('%s', (_, wanted, expected) => {
    expect(selectLayers(table, wanted)).toEqual(expected);
  });
});

test('layers come in the order asked for, none twice', () => {
  expect(selectLayers(table, ['scores', 'block_1_add', 'class:Add', 'outputs'])).toEqual([
    'scores',
    'block_1_add',
    'block_2_add',
  ]);
});

test('an exact name wins over what else it could mean', () => {
  const odd = tableOf([
    ['outputs', 'Dense'],
    ['1', 'Dense'],
    ['a*', 'Dense'],
    ['ab', 'Dense'],
  ]);
  expect(selectLayers(odd, ['outputs', '1', 'a*'])).toEqual(['outputs', '1', 'a*']);
});

test('a glob takes its other characters as they are', () => {
  const odd = tableOf([
    ['a.b/c', 'Conv'],
    ['axb/c', 'Conv'],
  ]);
  expect(selectLayers(odd, ['a.b*'])).toEqual(['a.b/c']);
});

test('a layer inside a nested model is named by its path, and patterns reach it', () => {
  const nested = tableOf([
    ['backbone', 'Functional'],
    ['backbone/conv5', 'Conv2D'],
    ['backbone/stem/conv1', 'Conv2D'],
  ]);
  expect(selectLayers(nested, ['backbone/conv5'])).toEqual(['backbone/conv5']);
  expect(selectLayers(nested, ['backbone/*conv1', 'class:Functional'])).toEqual(['backbone/stem/conv1', 'backbone']);
});

test('a layer whose values cannot be had is refused with the reason; a pattern that matches others leaves it out', () => {
  const table = tableOf([
    ['conv', 'Conv2D'],
    ['custom', 'Lambda'],
  ]);
  const [conv, custom] = table.layers;
  const marked = { ...table, layers: [conv, { ...custom, unsupported: 'a Lambda with Python code' }] } as LayerTable;
  expect(selectLayers(marked, ['conv'])).toEqual(['conv']);
  expect(selectLayers(marked, ['*'])).toEqual(['conv']);
  for (const wanted of ['custom', '-1', 'cust*', 'class:Lambda']) {
    expect(() => selectLayers(marked, [wanted])).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/'custom' cannot: a Lambda with Python code$/) }),
    );
  }
});

describe('what takes no layer is refused', () => {
  test.each([
    ['block_2_ad', "'block_2_add'"],
    ['nothing*', 'layertap layers MODEL'],
    ['99', 'Indices run from 0 to 5, or from -1 to -6 from the end'],
    ['-7', 'Indices run from 0 to 5'],
    ['class:Conv', "The model's classes are Add, Conv2D, Dense, InputLayer"],
  ])('%s', (wanted, hint) => {
    expect(() => selectLayers(table, ['scores', wanted])).toThrow(
      expect.objectContaining({
        code: 'unknown-layer',
        message: `Expected the name of a layer but received '${wanted}'`,
        hint: expect.stringContaining(hint),
      }),
    );
  });

  test('a regular expression that is none', () => {
    expect(() => selectLayers(table, ['/(/'])).toThrow(expect.objectContaining({ code: 'bad-option' }));
  });
});

function tableOf(layers: readonly (readonly [name: string, className: string])[]): LayerTable {
  return {
    layers: layers.map(([name, className], index) => ({
      index,
      name,
      className,
      outputShape: [1],
      parameters: 0,
      inbound: [],
    })),
    inputShape: [8, 8, 3],
    outputs: [layers.at(-1)?.[0] ?? ''],
  };
}
