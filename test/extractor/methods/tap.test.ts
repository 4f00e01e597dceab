// The tap: predictions and features in one run, names, and a tapped model that is saved and loaded.
import { beforeAll, expect, test } from 'vitest';
import { loadLayersModel } from '../../../extractor/src/load-layers-model.ts';
import { tapLayer } from '../../../extractor/src/methods/tap.ts';
import { fromTensorData, runBatch } from '../../../extractor/src/tfjs-tensors.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { batchOf } from '../engines/engine-conformance.ts';
import { SMALL_INPUT, saveSmallModel, smallModel, useWasm } from '../small-model.ts';

beforeAll(useWasm);

test('one run gives the predictions, unchanged, and the features', () => {
  const model = smallModel();
  const input = fromTensorData(batchOf(SMALL_INPUT, 3));
  const [alone] = runBatch(model, input);
  const [predictions, stem, pool] = runBatch(tapLayer(model, ['stem', 'pool']), input);
  expect(predictions).toEqual(alone);
  expect(stem?.shape).toEqual([3, 6, 5, 6]);
  expect(pool?.shape).toEqual([3, 6]);
});

test('taps have names of their own, also on a model that is tapped already', () => {
  const twice = tapLayer(tapLayer(smallModel(), 'pool'), ['pool', 'pool']);
  expect(twice.outputNames).toEqual(['scores', 'tap_pool', 'tap_pool_2', 'tap_pool_3']);
});

test('a tapped model is saved and loaded like any other', async () => {
  const tapped = tapLayer(smallModel(), 'embedding');
  const loaded = await loadLayersModel(await saveSmallModel(tapped, await temporaryFolder()));
  const input = fromTensorData(batchOf(SMALL_INPUT, 2));
  expect(runBatch(loaded, input)).toEqual(runBatch(tapped, input));
});

test('an unknown layer is refused with the nearest names', () => {
  expect(() => tapLayer(smallModel(), 'embeding')).toThrow(
    expect.objectContaining({ code: 'unknown-layer', hint: expect.stringContaining("'embedding'") }),
  );
});
