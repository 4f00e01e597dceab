// Crop policies against the rules of torchvision and Hugging Face over Pillow, and at the edges where nobody sets a rule.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { placeInput } from '../../../extractor/src/preprocess/crop.ts';
import { prepareRaw } from '../../../extractor/src/preprocess/prepare-image.ts';
import { resizeToInput } from '../../../extractor/src/preprocess/resize.ts';
import { RESIZE_KERNELS, Recipe, type ResizeKernel } from '../../../shared/src/recipe.ts';
import { synthetic } from './images.ts';

interface Golden {
  readonly pillow: string;
  readonly cases: readonly {
    readonly from: readonly [number, number];
    readonly to: readonly [number, number];
    readonly shorterSide: number;
    readonly rounding: 'half-even' | 'floor';
    readonly channels: 1 | 3;
    readonly kernel: ResizeKernel;
    readonly sha256: string;
  }[];
}

const golden = JSON.parse(readFileSync(new URL('./golden/crop.json', import.meta.url), 'utf8')) as Golden;

describe(`a center crop over Pillow ${golden.pillow}`, () => {
  for (const rounding of ['half-even', 'floor'] as const) {
    it(`gives the bytes of ${rounding === 'floor' ? 'Hugging Face' : 'torchvision'}, cut, padded or both`, () => {
      for (const { from, to, shorterSide, channels, kernel, sha256 } of golden.cases.filter(
        each => each.rounding === rounding,
      )) {
        const crop = { kind: 'center', shorterSide, rounding } as const;
        const recipe = Recipe.parse({ width: to[0], height: to[1], resize: kernel, crop, scale: 1 });
        const { data } = resizeToInput(synthetic(from[0], from[1], channels), recipe);
        const digest = createHash('sha256').update(data).digest('hex');
        expect([from, to, shorterSide, kernel, digest]).toEqual([from, to, shorterSide, kernel, sha256]);
      }
    });
  }

  it('is the middle of the whole resized image under every kernel', () => {
    const image = synthetic(90, 61, 3);
    for (const resize of RESIZE_KERNELS) {
      const cropped = Recipe.parse({
        width: 20,
        height: 24,
        resize,
        crop: { kind: 'center', shorterSide: 30 },
        scale: 1,
      });
      const whole = Recipe.parse({ width: 44, height: 30, resize, scale: 1 });
      const { data } = resizeToInput(image, whole);
      const middle = Array.from({ length: 24 }, (_, y) => [
        ...data.subarray(((y + 3) * 44 + 12) * 3, ((y + 3) * 44 + 32) * 3),
      ]);
      expect(Array.from(resizeToInput(image, cropped).data)).toEqual(middle.flat());
    }
  });

  it.each(['pillow:bilinear', 'tf:bilinear'] as const)(
    'pads with black pixels under %s, which go through scale, mean and std like all others',
    resize => {
      const recipe = Recipe.parse({
        width: 3,
        height: 1,
        resize,
        crop: { kind: 'center', shorterSide: 1 },
        scale: 1,
        mean: 10,
        std: 2,
      });
      const white = { data: Uint8Array.of(255, 255, 255), width: 1, height: 1, channels: 3 } as const;
      const result = prepareRaw(white, recipe);
      expect(result.ok && Array.from(result.image.values)).toEqual([-5, -5, -5, 122.5, 122.5, 122.5, -5, -5, -5]);
    },
  );

  it('takes a long strip without resizing more of it than is wanted', () => {
    const strip = synthetic(60_000, 1, 1);
    const crop = { kind: 'center', shorterSide: 256 } as const;
    const recipe = Recipe.parse({ width: 224, height: 224, resize: 'bicubic', crop, channels: 'gray', scale: 1 });
    expect(resizeToInput(strip, recipe).data).toHaveLength(224 * 224);
  });
});

describe('placeInput with the aspect kept', () => {
  it("takes whole numbers for Pillow's kernels and float32 for TensorFlow's, as Keras does in its two loaders", () => {
    const sizes = [
      [4099, 5000],
      [16383, 4001],
    ] as const;
    for (const [width, height] of sizes) {
      const to = { width: 224, height: 160, crop: { kind: 'aspect' }, scale: 1 } as const;
      const whole = placeInput(width, height, Recipe.parse(to)).source;
      expect(whole.height).toBe(Math.min(height, Math.floor((width * 160) / 224)));
      expect(whole.width).toBe(Math.min(width, Math.floor((height * 224) / 160)));
      const float = placeInput(width, height, Recipe.parse({ ...to, resize: 'tf:bilinear' })).source;
      expect(Math.abs(float.width - whole.width)).toBeLessThanOrEqual(1);
    }
  });

  it.each([
    [15_761, [777, 1111], 22_535, 22_536],
    [15_559, [1111, 1333], 18_667, 18_668],
  ] as const)('takes of a width of %d for %j what each of the two divisions gives', (width, to, whole, float) => {
    const heightUnder = (resize: ResizeKernel): number => {
      const recipe = Recipe.parse({ width: to[0], height: to[1], resize, crop: { kind: 'aspect' }, scale: 1 });
      return placeInput(width, 60_000, recipe).source.height;
    };
    // By TensorFlow 2.21: tf.cast(tf.cast(width * to_height, 'float32') / to_width, 'int32').
    expect([heightUnder('pillow:bilinear'), heightUnder('tf:bilinear')]).toEqual([whole, float]);
  });

  it('takes at least one pixel of an image that is nearly a line', () => {
    const recipe = Recipe.parse({ width: 39, height: 44, crop: { kind: 'aspect' }, scale: 1 });
    expect(placeInput(76, 1, recipe).source).toEqual({ left: 37, top: 0, width: 1, height: 1 });
  });
});
