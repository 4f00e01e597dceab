// Direct access: every way to match layers, and values of many layers at once.
import { beforeAll, describe, expect, test } from 'vitest';
import { findLayers, type LayerMatcher, runLayers } from '../../../extractor/src/methods/direct-access.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { fromTensorData } from '../../../extractor/src/tfjs-tensors.ts';
import { batchOf } from '../engines/engine-conformance.ts';
import { SMALL_INPUT, SMALL_LAYERS, smallModel, useWasm } from '../small-model.ts';

beforeAll(useWasm);

describe('layers are found by', () => {
  test.each<[string, LayerMatcher, string[]]>([
    ['name', 'block_add', ['block_add']],
    ['pattern', /^stem_/, ['stem_bn', 'stem_relu']],
    ['pattern that remembers its last match', /_bn/g, ['stem_bn']],
    ['index', 1, ['stem']],
    ['index from the end', -1, ['scores']],
    ['class', { className: 'Conv2D' }, ['stem', 'block_conv']],
    ['predicate', layer => layer.countParams() === 24, ['stem_bn']],
    ['predicate on the position', (_, index) => index < 2, ['image', 'stem']],
    ['any of several', ['scores', { className: 'Add' }, 0], ['image', 'block_add', 'scores']],
    ['nothing', 'nothing', []],
  ])('%s', (_, matcher, expected) => {
    expect(findLayers(smallModel(), matcher).map(layer => layer.name)).toEqual(expected);
  });
});

test('all layers run at once, in the order of the model, and leave nothing behind', () => {
  const model = smallModel();
  const input = fromTensorData(batchOf(SMALL_INPUT, 2));
  const before = tfjs().memory().numTensors;
  const values = runLayers(model, () => true, input);
  expect([...values.keys()]).toEqual(SMALL_LAYERS);
  expect([...values.values()].map(value => value.shape)).toEqual([
    [2, 12, 10, 3],
    [2, 6, 5, 6],
    [2, 6, 5, 6],
    [2, 6, 5, 6],
    [2, 6, 5, 6],
    [2, 6, 5, 6],
    [2, 6],
    [2, 8],
    [2, 3],
  ]);
  expect(tfjs().memory().numTensors).toBe(before);
  expect(input.isDisposed).toBe(false);
});

test('a matcher that takes no layer is refused', () => {
  const input = fromTensorData(batchOf(SMALL_INPUT, 1));
  expect(() => runLayers(smallModel(), 'steam', input)).toThrow(
    expect.objectContaining({ code: 'unknown-layer', hint: expect.stringContaining("'stem'") }),
  );
  expect(() => runLayers(smallModel(), { className: 'Conv3D' }, input)).toThrow('received {"className":"Conv3D"}');
});
