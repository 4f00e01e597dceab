// The engine of a run whose user left the choice to us: compared, explained in one line, and decided once.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { decideEngine } from '../../../extractor/src/compile/decide-engine.ts';
import { LOWERING } from '../../../extractor/src/compile/lowering-version.ts';
import { openModel } from '../../../extractor/src/model.ts';
import { Recipe } from '../../../shared/src/recipe.ts';
import { DEMO_MODEL } from '../../support/demo-set.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { goldenPath } from '../engines/golden-layers.ts';

let cache: string;

beforeEach(async () => {
  cache = await temporaryFolder();
  // An empty cache has no TensorFlow: the reference is wasm, as on a machine that cannot have it.
  vi.stubEnv('LAYERTAP_CACHE', cache);
  vi.stubEnv('LAYERTAP_TENSORFLOW', 'off');
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const DEMO = {
  layers: ['features'],
  recipe: Recipe.parse({ width: 64, height: 64, scale: 1 / 127.5, mean: [1] }),
  batch: 4,
};

test('a compiled model that gives the same numbers faster is taken, and the decision stands', async () => {
  const model = await openModel(DEMO_MODEL);
  const first = await decideEngine('auto', model, DEMO);
  expect(first.reason).toMatch(
    /^(Compiled; it gives the numbers of wasm and is \d+\.\d × as fast as wasm here|The compiled model agrees, but is only \d+\.\d × as fast as wasm)\.$/,
  );
  expect(first.lowering).toBe(first.engine === 'onnx' ? LOWERING : undefined);
  const again = await decideEngine('auto', model, DEMO);
  expect(again).toEqual({ ...first, reason: `${first.reason} (decided before)` });
  // However the images are decoded, resized and turned.
  const recipe = { ...DEMO.recipe, quality: 'fast', resize: 'pillow:lanczos', exif: 'apply' } as const;
  expect(await decideEngine('auto', model, { ...DEMO, recipe })).toEqual(again);
  expect(await readdir(join(cache, 'compiled'))).toHaveLength(1);
  // Another layer is another decision.
  const other = await decideEngine('auto', model, { ...DEMO, layers: ['conv4'] });
  expect(other.reason).not.toContain('decided before');
});

test('a model that cannot be compiled stays on its engine, with the reason', async () => {
  const model = await openModel(goldenPath('small-graph-model'));
  const recipe = Recipe.parse({ width: 10, height: 12, scale: 1 / 255 });
  const options = { layers: ['pooled'], recipe, batch: 4 };
  expect(await decideEngine('auto', model, options)).toEqual({
    engine: 'wasm',
    reason: 'The model cannot be compiled: it has branches or loops.',
  });
});

test('an engine that was asked for is not compared', async () => {
  const model = await openModel(DEMO_MODEL);
  expect(await decideEngine('wasm', model, DEMO)).toEqual({ engine: 'wasm', reason: 'It was asked for.' });
  const onnx = await decideEngine('onnx', model, DEMO);
  expect(onnx).toEqual({ engine: 'onnx', lowering: LOWERING, reason: 'It was asked for.' });
  expect(await readdir(cache)).toEqual([]);
});
