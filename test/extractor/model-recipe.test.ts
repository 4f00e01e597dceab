// Recipes that a model's publisher put beside it, in the formats of Hugging Face, timm and Teachable Machine.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findModelRecipe, type ModelRecipe } from '../../extractor/src/model-recipe.ts';
import { refusalOf } from '../support/refusal.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { chainTable, modelOf } from './layer-tables.ts';

type Files = Readonly<Record<string, unknown>>;

async function find(files: Files, modelFolder = ''): Promise<ModelRecipe | undefined> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, modelFolder), { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return findModelRecipe(modelOf(chainTable({ layers: ['conv'] }), join(folder, modelFolder)));
}

const processor = (config: unknown): Files => ({ 'preprocessor_config.json': config });
const timm = (pretrained_cfg: unknown): Files => ({ 'config.json': { architecture: 'net', pretrained_cfg } });

async function refusal(files: Files): Promise<string> {
  const { message, hint } = await refusalOf(() => find(files), 'recipe-mismatch');
  expect(hint).toContain('--recipe');
  return message.replace(/^.* but /, '');
}

const VIT = {
  image_processor_type: 'ViTImageProcessor',
  do_resize: true,
  size: { height: 224, width: 192 },
  resample: 2,
  do_rescale: true,
  rescale_factor: 0.00392156862745098,
  do_normalize: true,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
};

describe("Hugging Face's preprocessor_config.json", () => {
  it('of ViT squashes', async () => {
    expect((await find(processor(VIT)))?.fields).toEqual({
      ...{ width: 192, height: 224, crop: { kind: 'none' }, resize: 'pillow:bilinear', channels: 'rgb' },
      ...{ scale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
    });
  });

  it('of CLIP cuts the middle, rounding down', async () => {
    const crop = { do_center_crop: true, crop_size: { height: 224, width: 224 }, resample: 3 };
    const expected = { width: 224, height: 224, crop: { kind: 'center', shorterSide: 256, rounding: 'floor' } };
    const clip = { ...VIT, image_processor_type: 'CLIPImageProcessor', ...crop };
    const found = await find(processor({ ...clip, size: { shortest_edge: 256 } }));
    expect(found?.fields).toMatchObject({ ...expected, resize: 'pillow:bicubic' });
    // Its older files hold numbers alone.
    const old = { ...clip, image_processor_type: undefined, feature_extractor_type: 'CLIPFeatureExtractor' };
    expect((await find(processor({ ...old, size: 256, crop_size: 224 })))?.fields).toMatchObject(expected);
  });

  it.each([
    [224, { width: 224, crop: { kind: 'center', shorterSide: 256, rounding: 'floor' } }],
    [384, { width: 384, crop: { kind: 'none' } }],
  ])('of ConvNeXt at %d pixels follows its own rule', async (edge, expected) => {
    const convnext = { ...VIT, image_processor_type: 'ConvNextImageProcessor', crop_pct: 0.875 };
    expect((await find(processor({ ...convnext, size: { shortest_edge: edge } })))?.fields).toMatchObject(expected);
  });

  it.each([
    [0, 'nearest'],
    [1, 'lanczos'],
    [2, 'bilinear'],
    [3, 'bicubic'],
    [4, 'box'],
  ])('calls resample %d what PIL.Image.Resampling calls it: %s', async (resample, kernel) => {
    expect((await find(processor({ ...VIT, resample })))?.fields.resize).toBe(`pillow:${kernel}`);
  });

  it('has a factor of its own', async () => {
    expect((await find(processor({ ...VIT, rescale_factor: 1 / 127.5 })))?.fields.scale).toBe(1 / 127.5);
  });

  it('leaves out what it is told to, and reads null as absent', async () => {
    const raw = { ...VIT, do_rescale: false, do_normalize: false, image_mean: null, crop_size: null, do_pad: null };
    const found = await find(processor({ ...raw, do_flip_channel_order: true }));
    expect(found?.fields).toMatchObject({ scale: 1, channels: 'bgr' });
    expect(found?.fields).not.toHaveProperty('mean');
  });

  it.each([
    [{ do_pad: true }, 'it asks for do_pad'],
    [{ rescale_offset: true }, 'it asks for rescale_offset'],
    [{ resample: 5 }, 'it asks for the resample 5'],
    [{ resample: undefined }, 'it asks for the resample of its class, without saying which'],
    [{ do_resize: false }, 'it leaves the resizing to others (do_resize is false)'],
    [{ size: { shortest_edge: 224 } }, 'it keeps the aspect ratio, so that each image has a size of its own'],
    [{ do_center_crop: true, crop_size: 192 }, 'it squashes the image and cuts the middle of that'],
    [{ size: 256, do_center_crop: true, crop_size: 224 }, 'its size 256 may mean the shorter side or both'],
    [{ image_std: undefined }, 'it normalises without image_mean or image_std'],
    [{ crop_pct: 0.9 }, 'ViTImageProcessor resizes by a rule of its own'],
    [{ image_processor_type: 'LevitImageProcessor' }, 'LevitImageProcessor resizes by a rule of its own'],
    [{ size: undefined }, 'it has no size'],
    [
      { size: { shortest_edge: 256 }, do_center_crop: true, crop_size: { height: 224, width: 192 } },
      'it cuts no square middle (crop_size)',
    ],
    [{ do_flip_channel_order: true }, 'it flips the channels and normalises, in an order that it does not say'],
  ])('that asks for what a recipe cannot do is refused: %j', async (change, words) => {
    expect(await refusal(processor({ ...VIT, ...change }))).toBe(words);
  });

  it('whose fields are not those of an image is refused by their names', async () => {
    expect(await refusal(processor({ ...VIT, size: { longest_edge: 1333 } }))).toMatch(
      /^its fields are not those of an image: .*size/,
    );
  });
});

describe("timm's config.json", () => {
  const CONFIG = {
    ...{ input_size: [3, 288, 288], interpolation: 'bicubic', crop_pct: 0.95, crop_mode: 'center' },
    ...{ mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  };

  it('resizes the shorter side to floor(size / crop_pct) and cuts the middle', async () => {
    expect(await find(timm(CONFIG))).toMatchObject({
      writer: 'timm',
      fields: {
        ...{ width: 288, height: 288, crop: { kind: 'center', shorterSide: 303 }, resize: 'pillow:bicubic' },
        ...{ channels: 'rgb', scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
      },
    });
  });

  it("has timm's own defaults, and may be of before pretrained_cfg", async () => {
    expect((await find(timm({})))?.fields).toMatchObject({
      ...{ width: 224, crop: { kind: 'center', shorterSide: 256 }, resize: 'pillow:bicubic' },
      ...{ mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
    });
    const small = await find(timm({ crop_pct: 0.9 }));
    expect(small?.fields).toMatchObject({ crop: { shorterSide: 248 } });
    const old = { 'config.json': { architecture: 'net', ...CONFIG, crop_pct: null } };
    expect((await find(old))?.fields).toMatchObject({ width: 288, crop: { shorterSide: 329 } });
  });

  it.each([
    [{ crop_mode: 'border' }, "it asks for the crop mode 'border' with crop_pct 0.95"],
    [{ crop_mode: 'squash' }, "it asks for the crop mode 'squash' with crop_pct 0.95"],
    [{ interpolation: 'hamming' }, "it asks for the interpolation 'hamming'"],
    [{ input_size: [3, 224, 192] }, 'it cuts a 192x224 middle, and only square ones are known here'],
    [{ input_size: [4, 224, 224] }, 'it asks for 4 channels'],
  ])('that asks for what a recipe cannot do is refused: %j', async (change, words) => {
    expect(await refusal(timm({ ...CONFIG, ...change }))).toBe(words);
  });

  it('squashes where nothing is cut', async () => {
    const found = await find(timm({ ...CONFIG, crop_mode: 'squash', crop_pct: 1 }));
    expect(found?.fields).toMatchObject({ width: 288, crop: { kind: 'none' } });
  });
});

describe("Teachable Machine's metadata.json", () => {
  it('means x / 127 - 1 of the middle square, as its library computes', async () => {
    const metadata = {
      packageName: '@teachablemachine/image',
      tfjsVersion: '1.3.1',
      labels: ['a', 'b'],
      imageSize: 96,
    };
    const found = await find({ 'metadata.json': metadata });
    expect(found).toMatchObject({
      writer: 'Teachable Machine',
      fields: {
        ...{ width: 96, height: 96, crop: { kind: 'center', shorterSide: 96, rounding: 'floor' } },
        ...{ channels: 'rgb', scale: 1 / 127, mean: [1] },
      },
    });
    const grey = await find({ 'metadata.json': { ...metadata, imageSize: undefined, grayscale: true } });
    expect(grey?.fields).toMatchObject({ width: 224, channels: 'gray' });
  });
});

describe('what stands beside a model', () => {
  it('and only has the same name says nothing', async () => {
    const keras = { 'metadata.json': { keras_version: '3.15.1' }, 'config.json': { class_name: 'Functional' } };
    expect(await find(keras)).toBeUndefined();
    expect(await find({ 'config.json': 'no JSON', 'metadata.json': '[]' })).toBeUndefined();
    expect(await find({ 'config.json': { model_type: 'vit', architectures: ['ViTModel'] } })).toBeUndefined();
    expect(await find({})).toBeUndefined();
  });

  it('is asked in the order Hugging Face, timm', async () => {
    expect((await find({ ...timm({}), ...processor(VIT) }))?.writer).toBe('Hugging Face transformers');
    const wrapped = processor({ image_processor_type: 'TimmWrapperImageProcessor', pretrained_cfg: {} });
    expect((await find({ ...timm({}), ...wrapped }))?.writer).toBe('timm');
  });

  it('is found above the folder `onnx` of a transformers.js export, and above no other', async () => {
    const found = await find(processor(VIT), 'onnx');
    expect(dirname(found?.path ?? '')).not.toMatch(/onnx$/);
    expect(found?.fields).toMatchObject({ width: 192 });
    expect(await find(processor(VIT), 'models')).toBeUndefined();
  });
});
