// The inline way: every kind of image, one or many layers, recipes, broken images, and when things are opened.
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { features } from '../../../extractor/src/methods/inline.ts';
import { prepareRaw, type RawPixels } from '../../../extractor/src/preprocess/prepare-image.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { Recipe } from '../../../shared/src/recipe.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { batchOf } from '../engines/engine-conformance.ts';
import { relativeDifference } from '../numbers.ts';
import { SMALL_INPUT, saveSmallModel, smallModel, useWasm } from '../small-model.ts';

const recipe = { width: 10, height: 12, scale: 1 / 255 };
const options = { recipe, engine: 'wasm' } as const;

beforeAll(useWasm);

describe('images may be', () => {
  test('paths, bytes, raw pixels, tensors and TensorData: the same image gives the same row', async () => {
    const model = await savedModel();
    const pixels = photo();
    const png = await encode(pixels);
    const path = join(dirname(model), 'photo.png');
    await writeFile(path, png);
    const prepared = prepareRaw(pixels, Recipe.parse(recipe));
    if (!prepared.ok) throw new Error(prepared.failure.message);
    const { values } = prepared.image;
    const tensor = tfjs().tensor(values, [...SMALL_INPUT]);
    const tensorData = { dtype: 'float32', shape: [1, ...SMALL_INPUT], data: values } as const;
    const extract = features(model, 'embedding', options);
    const { rows, shape } = await extract([path, png, new Uint8Array(png), pixels, tensor, tensorData]);
    expect(shape).toEqual([6, 8]);
    const [first, ...others] = rows();
    for (const row of others) expect(row).toEqual(first);
    expect(tensor.isDisposed).toBe(false);
    await extract.close();
  });

  test('one alone, without a list', async () => {
    const { shape, data } = await features(await savedModel(), 'pool', options)(photo());
    expect(shape).toEqual([1, 6]);
    expect(data).toHaveLength(6);
  });

  test('a batch in one tensor, which counts as many images', async () => {
    const { shape } = await features(await savedModel(), 'stem', { engine: 'wasm' })(batchOf(SMALL_INPUT, 7));
    expect(shape).toEqual([7, 6, 5, 6]);
  });

  test('none at all', async () => {
    const { shape, rows } = await features(await savedModel(), 'pool', options)([]);
    expect(shape).toEqual([0, 6]);
    expect(rows()).toEqual([]);
  });
});

describe('layers may be', () => {
  test('several, and come as a record by name', async () => {
    const result = await features(await savedModel(), ['class:Conv2D', 'outputs'], options)(photo());
    expect(Object.entries(result).map(([name, { shape }]) => [name, ...shape])).toEqual([
      ['stem', 1, 6, 5, 6],
      ['block_conv', 1, 6, 5, 6],
      ['scores', 1, 3],
    ]);
  });

  test('one pattern that takes one layer; one that takes more must be a list', async () => {
    const model = await savedModel();
    expect((await features(model, 'emb*', options)(photo())).name).toBe('embedding');
    await expect(features(model, 'stem*', options)(photo())).rejects.toMatchObject({
      code: 'unknown-layer',
      message: "Expected one layer but 'stem*' takes 3",
    });
  });

  test('pooled', async () => {
    const model = await savedModel();
    const mean = await features(model, 'block_add', { ...options, pool: 'mean' })(photo());
    const pool = await features(model, 'pool', options)(photo());
    expect(mean.shape).toEqual([1, 6]);
    expect(relativeDifference({ ...mean, dtype: 'float32' }, { ...pool, dtype: 'float32' })).toBeLessThan(1e-6);
  });
});

describe('pooling', () => {
  test('of several kinds gives a result each, and l2 scales them', async () => {
    const model = await savedModel();
    const pool = ['mean', 'max'] as const;
    const result = await features(model, ['block_add', 'scores'], { ...options, pool, normalize: 'l2' })(photo());
    expect(Object.keys(result)).toEqual(['block_add@mean', 'block_add@max', 'scores']);
    for (const { data } of Object.values(result)) expect(Math.hypot(...data)).toBeCloseTo(1, 6);
  });

  test('of several kinds needs a list of layers', async () => {
    const model = await savedModel();
    expect(() => features(model, 'pool', { ...options, pool: ['mean', 'max'] })).toThrow(
      'Expected one pooling for one layer',
    );
  });
});

describe('the recipe', () => {
  test('is taken from beside the model, or from a file', async () => {
    const model = await savedModel();
    const expected = await features(model, 'pool', options)(photo());
    await writeFile(join(dirname(model), 'model.recipe.json'), JSON.stringify(recipe));
    expect((await features(model, 'pool', { engine: 'wasm' })(photo())).data).toEqual(expected.data);
    expect((await features(dirname(model), 'pool', { engine: 'wasm' })(photo())).data).toEqual(expected.data);
    const file = join(dirname(model), 'model.recipe.json');
    expect((await features(model, 'pool', { engine: 'wasm', recipe: file })(photo())).data).toEqual(expected.data);
  });

  test('may be a preset, and an object may leave the size to the model', async () => {
    const model = await savedModel();
    const whole = { width: 10, height: 12, scale: 1 / 127.5, mean: 1 };
    const expected = await features(model, 'pool', { engine: 'wasm', recipe: whole })(photo());
    const preset = features(model, 'pool', { engine: 'wasm', recipe: 'keras:mobilenet' });
    expect((await preset(photo())).data).toEqual(expected.data);
    const sizeless = features(model, 'pool', { engine: 'wasm', recipe: { scale: 1 / 127.5, mean: 1 } });
    expect((await sizeless(photo())).data).toEqual(expected.data);
    await expect(features(model, 'pool', { engine: 'wasm', recipe: 'keras:mobilnet' })(photo())).rejects.toMatchObject({
      code: 'bad-option',
      hint: expect.stringContaining('keras:mobilenet'),
    });
  });

  test('is asked for where there is none, but not for tensors', async () => {
    const extract = features(await savedModel(), 'pool', { engine: 'wasm' });
    await expect(extract(photo())).rejects.toMatchObject({
      code: 'recipe-missing',
      hint: expect.stringContaining('model.recipe.json'),
    });
    expect((await extract(batchOf(SMALL_INPUT, 2))).shape).toEqual([2, 6]);
  });

  test('must fit the model', async () => {
    const wrong = features(await savedModel(), 'pool', { ...options, recipe: { ...recipe, width: 11 } });
    await expect(wrong(photo())).rejects.toMatchObject({ code: 'recipe-mismatch' });
    const malformed = features(await savedModel(), 'pool', { ...options, recipe: { ...recipe, width: -1 } });
    await expect(malformed(photo())).rejects.toMatchObject({
      code: 'bad-option',
      message: expect.stringContaining('width'),
    });
  });

  test('and a tensor of another shape do not go together', async () => {
    const extract = features(await savedModel(), 'pool', options);
    await expect(extract([photo(), batchOf([12, 9, 3], 1)])).rejects.toMatchObject({
      code: 'recipe-mismatch',
      message: 'Expected a sample of shape [12, 10, 3] at index 1 but received [12, 9, 3]',
    });
  });
});

describe('a broken image', () => {
  test('ends the call, naming its position', async () => {
    const extract = features(await savedModel(), 'pool', options);
    await expect(extract([photo(), Uint8Array.of(1, 2, 3)])).rejects.toMatchObject({
      code: 'source-unreadable',
      message: expect.stringMatching(/^Expected an image at index 1 but received unsupported-format/),
    });
    await expect(extract('/no/such.jpg')).rejects.toMatchObject({
      message: expect.stringContaining('index 0 but received not-found'),
    });
  });

  test('becomes a null row where asked for, and harms no other', async () => {
    const extract = features(await savedModel(), 'pool', { ...options, onError: 'null', batch: 2 });
    const { rows, shape, failures } = await extract([
      new Uint8Array(0),
      photo(),
      '/no/such.jpg',
      Uint8Array.of(1),
      photo(),
    ]);
    const [empty, second, absent, garbage, last] = rows();
    expect([empty, absent, garbage]).toEqual([null, null, null]);
    expect(second).toHaveLength(6);
    expect(last).toEqual(second);
    expect(shape).toEqual([5, 6]);
    expect(failures.map(({ index, code }) => [index, code])).toEqual([
      [0, 'empty-file'],
      [2, 'not-found'],
      [3, 'unsupported-format'],
    ]);
  });
});

test('batches change nothing but the memory', async () => {
  const model = await savedModel();
  const images = Array.from({ length: 7 }, (_, i) => photo(i));
  const whole = await features(model, 'embedding', options)(images);
  const single = await features(model, 'embedding', { ...options, batch: 1 })(images);
  const threes = await features(model, 'embedding', { ...options, batch: 3 })(images);
  whole.data.forEach((value, i) => {
    expect(single.data[i]).toBeCloseTo(value, 5);
    expect(threes.data[i]).toBeCloseTo(value, 5);
  });
  expect(new Set(whole.rows().map(String)).size).toBe(7);
});

test('the model is loaded once for all calls, and freed by close', async () => {
  const model = await savedModel();
  const before = tfjs().memory().numTensors;
  const extract = features(model, 'scores', options);
  const [first, second] = await Promise.all([extract(photo()), extract(photo())]);
  expect(second.data).toEqual(first.data);
  const open = tfjs().memory().numTensors;
  await extract(photo());
  expect(tfjs().memory().numTensors).toBe(open);
  await extract.close();
  await extract.close();
  expect(tfjs().memory().numTensors).toBe(before);
  expect((await extract(photo())).data).toEqual(first.data);
  await extract.close();
});

test('what cannot work is refused at the first call', async () => {
  const model = await savedModel();
  await expect(features('/no/model.json', 'pool', options)(photo())).rejects.toMatchObject({
    code: 'model-unreadable',
  });
  await expect(features(model, 'pol', options)(photo())).rejects.toMatchObject({ code: 'unknown-layer' });
  await expect(features(model, 'pool', { ...options, engine: 'null' })(photo())).rejects.toMatchObject({
    code: 'bad-option',
  });
  expect(() => features(model, 'pool', { ...options, batch: 0 })).toThrow(
    'Expected a whole number of 1 or more for `batch`',
  );
});

async function savedModel(): Promise<string> {
  const model = smallModel();
  const path = await saveSmallModel(model, await temporaryFolder());
  model.dispose();
  return path;
}

/** A photo of coloured noise, another for each seed. */
function photo(seed = 0): RawPixels {
  const [width, height] = [23, 17];
  const data = Uint8Array.from(
    { length: width * height * 3 },
    (_, i) => Math.imul(i + seed * 977 + 1, 2_654_435_761) >>> 24,
  );
  return { data, width, height, channels: 3 };
}

async function encode({ data, width, height, channels }: RawPixels): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels } }).png().toBuffer();
}
