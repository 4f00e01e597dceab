// The recipe schema: what it fills in, and that a scale is never assumed.
import { describe, expect, it } from 'vitest';
import { Recipe } from '../../shared/src/recipe.ts';
import { channelCount } from '../../shared/src/recipe-shape.ts';

const least = { width: 224, height: 224, scale: 1 };

function problem(input: unknown): string | undefined {
  const parsed = Recipe.safeParse(input);
  return parsed.success ? undefined : parsed.error.issues.map(({ path }) => path.join('.')).join();
}

describe('a recipe', () => {
  it('has a default for all but size and scale', () => {
    expect(Recipe.parse(least)).toEqual({
      ...least,
      resize: 'pillow:bilinear',
      crop: { kind: 'none' },
      channels: 'rgb',
      mean: [0],
      std: [1],
      exif: 'ignore',
      alpha: 'drop',
      quality: 'exact',
    });
  });

  it("names a kernel with its library, and takes one without a library for Pillow's, as older files have it", () => {
    const kernelOf = (resize: string): string => Recipe.parse({ ...least, resize }).resize;
    expect(kernelOf('lanczos')).toBe('pillow:lanczos');
    expect(kernelOf('pillow:box')).toBe('pillow:box');
    expect(kernelOf('tf:bilinear+antialias')).toBe('tf:bilinear+antialias');
    expect(problem({ ...least, resize: 'tf:lanczos' })).toBe('resize');
    expect(problem({ ...least, resize: 'area' })).toBe('resize');
  });

  it('cuts a middle only with the shorter side said, rounding half a pixel as torchvision does', () => {
    expect(Recipe.parse({ ...least, crop: { kind: 'center', shorterSide: 256 } }).crop).toEqual({
      ...{ kind: 'center', shorterSide: 256, rounding: 'half-even' },
    });
    expect(problem({ ...least, crop: { kind: 'center' } })).toBe('crop.shorterSide');
    expect(problem({ ...least, crop: { kind: 'aspect', shorterSide: 256 } })).toBe('crop');
  });

  it('is refused without a scale, which no error anywhere would show to be wrong', () => {
    expect(problem({ width: 224, height: 224 })).toBe('scale');
  });

  it('takes one number for all channels or one per channel', () => {
    expect(Recipe.parse({ ...least, mean: 127.5, std: [1, 2, 3] })).toMatchObject({ mean: [127.5], std: [1, 2, 3] });
  });

  it('is refused with a standard deviation of 0, alone or in one channel', () => {
    expect(problem({ ...least, std: 0 })).toBe('std');
    expect(problem({ ...least, std: [1, 0, 1] })).toBe('std');
  });

  it('is refused with an unknown field, kernel, order or size', () => {
    expect(problem({ ...least, sacle: 1 })).toBe('');
    expect(problem({ ...least, resize: 'cubic' })).toBe('resize');
    expect(problem({ ...least, channels: 'RGB' })).toBe('channels');
    expect(problem({ ...least, width: 0 })).toBe('width');
    expect(problem({ ...least, height: 1.5 })).toBe('height');
    expect(problem({ ...least, mean: [] })).toBe('mean');
    expect(problem({ ...least, scale: Number.NaN })).toBe('scale');
  });

  it('reads its own output back', () => {
    const recipe = Recipe.parse({ ...least, mean: 1, channels: 'bgr' });
    expect(Recipe.parse(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe);
  });

  it('has one channel for gray and three otherwise', () => {
    expect(channelCount(Recipe.parse({ ...least, channels: 'gray' }))).toBe(1);
    expect(channelCount(Recipe.parse({ ...least, channels: 'bgr' }))).toBe(3);
  });
});
