// The null engine: the contract, and that it costs nothing.
import { expect, test } from 'vitest';
import { openNullEngine } from '../../../extractor/src/engines/null.ts';
import { openModel } from '../../../extractor/src/model.ts';
import { batchOf, testEngine } from './engine-conformance.ts';

testEngine('null', {
  open: openNullEngine,
  model: async () => 'null:4x3x2',
  inputShape: [8, 8, 3],
  layers: [['features', [4, 3, 2]]],
  batchTolerance: 0,
});

test('all batches share one buffer, and one that was transferred away is replaced', async () => {
  const extractor = await (await openNullEngine()).load({
    model: 'null:8',
    layers: ['features'],
    inputShape: [1, 1, 3],
  });
  const [first] = await extractor.run(batchOf([1, 1, 3], 4));
  const [second] = await extractor.run(batchOf([1, 1, 3], 2));
  expect(second?.data.buffer).toBe(first?.data.buffer);
  structuredClone(first?.data.buffer, { transfer: [first?.data.buffer as ArrayBuffer] });
  const [third] = await extractor.run(batchOf([1, 1, 3], 4));
  expect(third?.data).toEqual(new Float32Array(32));
  await extractor.close();
});

test.each([
  ['null:8', [8]],
  ['null:32x32x16', [32, 32, 16]],
  ['/some/folder/null:8', [8]],
])('the model %s has one layer `features` of shape %j', async (path, shape) => {
  const model = await openModel(path);
  expect(model).toMatchObject({ format: 'null', path: expect.stringMatching(/^null:/) });
  expect(model.table.layers).toMatchObject([{ name: 'features', outputShape: shape }]);
  expect(model.table.inputShape).toEqual([null, null, 3]);
  expect(await model.shapesFor([9, 9, 3], ['features'])).toEqual([shape]);
});

test.each(['null:', 'null:0', 'null:8x', 'null:a'])('%s is refused', async path => {
  await expect(openModel(path)).rejects.toMatchObject({ code: 'model-unreadable' });
});
