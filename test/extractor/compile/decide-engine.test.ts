// The engine of a run whose user left the choice to us: compared, explained in one line, and decided once.
import { readdir, stat } from 'node:fs/promises';
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
  // One file, and what says that the model was compiled to it.
  expect((await readdir(join(cache, 'compiled'))).map(name => name.split('.')[1]).sort()).toEqual(['json', 'onnx']);
  // Another layer is another decision.
  const other = await decideEngine('auto', model, { ...DEMO, layers: ['conv4'] });
  expect(other.reason).not.toContain('decided before');
});

test('a model that cannot be compiled stays on its engine, with the reason', async () => {
  const model = await openModel(goldenPath('small-graph-model'));
  const recipe = Recipe.parse({ width: 10, height: 12, scale: 1 / 255 });
  const options = { layers: ['pooled'], recipe, batch: 4 };
  const decision = await decideEngine('auto', model, options);
  expect(decision).toMatchObject({
    engine: 'wasm',
    reason: 'The model cannot be compiled: it has branches or loops.',
  });
  expect(decision.warning).toMatch(
    /^This run computes on wasm, about 10 times slower .* it has branches or loops\. Run `npx layertap setup`/,
  );
  await expect(decideEngine('onnx', model, options)).rejects.toMatchObject({
    code: 'engine-unavailable',
    message: expect.stringContaining('it has branches or loops') as unknown,
  });
});

test('an engine that was asked for is taken; a compiled one with what it must answer', async () => {
  const model = await openModel(DEMO_MODEL);
  expect(await decideEngine('wasm', model, DEMO)).toEqual({ engine: 'wasm', reason: 'It was asked for.' });
  expect(await readdir(cache)).toEqual([]);
  const { compiled, ...choice } = await decideEngine('onnx', model, DEMO);
  expect(choice).toEqual({ engine: 'onnx', lowering: LOWERING, reason: 'It was asked for.' });
  expect(compiled?.answers).toMatchObject({ engine: 'wasm', rows: 1, layers: [{ size: 96, kept: 96 }] });
  const path = join(cache, 'compiled', `${compiled?.sha256}.onnx`);
  expect((await stat(path)).size).toBe(compiled?.bytes);
});

test.each([
  ['a cache below a file system that takes no names', '/proc/nope'],
  ['a cache whose parent is a file', join(import.meta.filename, 'cache')],
])('%s never chooses the engine', async (_, place) => {
  const model = await openModel(DEMO_MODEL);
  const wanted = await decideEngine('auto', model, DEMO);
  vi.stubEnv('LAYERTAP_CACHE', place);
  const decision = await decideEngine('auto', model, DEMO);
  expect(decision.engine).toBe(wanted.engine);
  expect(decision.compiled?.sha256).toBe(wanted.compiled?.sha256);
});
