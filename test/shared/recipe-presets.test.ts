// Presets by name. The values of keras:* are compared with Keras' own in test/extractor/architecture.test.ts.
import { describe, expect, it } from 'vitest';
import { Recipe } from '../../shared/src/recipe.ts';
import { findPreset, RECIPE_PRESETS } from '../../shared/src/recipe-presets.ts';
import { refusalOf } from '../support/refusal.ts';

/** torchvision.transforms._presets.ImageClassification, and `_transform` of OpenAI's clip.py. */
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const CLIP = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] };

describe('a preset', () => {
  it.each(['keras:MobileNetV2', 'keras:mobilenet_v2', 'KERAS:mobilenetv2'])('%s is keras:mobilenetv2', name => {
    expect(findPreset(name).name).toBe('keras:mobilenetv2');
  });

  it('of Keras squashes with the kernel of the loader that is named', () => {
    const kernelOf = (name: string): unknown => findPreset(name).preset.fields.resize;
    expect(kernelOf('keras:efficientnetv2-b0')).toBe('pillow:bilinear');
    expect(kernelOf('keras:ResNet50@load_img')).toBe('pillow:nearest');
    expect(kernelOf('keras:ResNet50@dataset')).toBe('tf:bilinear');
    expect(findPreset('keras:vgg16').preset.fields.crop).toBeUndefined();
  });

  it.each([
    ['torchvision', 224, 256, 'pillow:bilinear', IMAGENET],
    ['torchvision:imagenet1k_v1', 224, 256, 'pillow:bilinear', IMAGENET],
    ['torchvision:imagenet1k_v2', 224, 232, 'pillow:bilinear', IMAGENET],
    ['torchvision:inception_v3', 299, 342, 'pillow:bilinear', IMAGENET],
    ['clip', 224, 224, 'pillow:bicubic', CLIP],
    ['clip:336', 336, 336, 'pillow:bicubic', CLIP],
  ])('%s cuts %d out of a shorter side of %d with %s', (name, size, shorterSide, resize, values) => {
    const { preset } = findPreset(name);
    expect(preset).toMatchObject({ size, isSizeFixed: true });
    const recipe = Recipe.parse({ ...preset.fields, width: size, height: size });
    expect(recipe).toMatchObject({ resize, scale: 1 / 255, channels: 'rgb' });
    expect(recipe.crop).toEqual({ kind: 'center', shorterSide, rounding: 'half-even' });
    expect(recipe).toMatchObject(values);
  });

  it('is a whole recipe with its size, whatever its name', () => {
    for (const [, { fields, size }] of RECIPE_PRESETS) {
      expect(Recipe.safeParse({ ...fields, width: size, height: size }).success).toBe(true);
    }
  });

  it('that is unknown is refused with the nearest names', async () => {
    const { message, hint } = await refusalOf(() => findPreset('keras:resnet5'), 'bad-option');
    expect(message).toBe("Expected a recipe preset or the path of a .json file but received 'keras:resnet5'");
    expect(hint).toMatch(/^Did you mean keras:resnet50, .*\? docs\/recipes\.md lists all presets\.$/);
    const loader = await refusalOf(() => findPreset('keras:vgg16@loadimg'), 'bad-option');
    expect(loader.hint).toContain('keras:vgg16@load_img');
  });
});
