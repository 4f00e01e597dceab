// The recipes named after Keras' loaders against those very loaders.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { prepareImage } from '../../../extractor/src/preprocess/prepare-image.ts';
import { Recipe, type ResizeKernel } from '../../../shared/src/recipe.ts';
import { makePng, synthetic } from './images.ts';

interface Golden {
  readonly keras: string;
  readonly cases: readonly {
    readonly from: readonly [number, number];
    readonly to: readonly [number, number];
    readonly loader: 'load_img' | 'dataset';
    readonly kernel: ResizeKernel;
    readonly crop: 'none' | 'aspect';
    /** Every so many values of the output stand in `values`. */
    readonly step: number;
    readonly values: readonly number[];
  }[];
}

const golden = JSON.parse(readFileSync(new URL('./golden/keras-loaders.json', import.meta.url), 'utf8')) as Golden;

const LOADERS = { load_img: 'load_img', dataset: 'image_dataset_from_directory' } as const;

describe(`Keras ${golden.keras}'s loaders`, () => {
  const kinds = new Set(golden.cases.map(({ loader, kernel, crop }) => `${loader} ${kernel} ${crop}`));
  for (const kind of kinds) {
    const [loader, kernel, crop] = kind.split(' ');
    it(`${LOADERS[loader as keyof typeof LOADERS]} gives the values of ${kernel} with crop ${crop}`, async () => {
      for (const golds of golden.cases.filter(each => `${each.loader} ${each.kernel} ${each.crop}` === kind)) {
        const { from, to, step, values } = golds;
        const png = pngOf(from);
        const recipe = Recipe.parse({
          width: to[0],
          height: to[1],
          resize: golds.kernel,
          crop: { kind: golds.crop },
          scale: 1,
        });
        const result = await prepareImage(png, recipe);
        if (!result.ok) throw new Error(result.failure.message);
        const differences = values.map((value, i) =>
          Math.abs((result.image.values[i * step] as number) - Math.fround(value)),
        );
        expect(Math.max(...differences)).toBeLessThanOrEqual(golds.kernel === 'tf:lanczos3' ? 1e-4 : 0);
      }
    });
  }
});

const pngs = new Map<string, Uint8Array>();

/** Made once for each size. */
function pngOf([width, height]: readonly [number, number]): Uint8Array {
  const key = `${width}x${height}`;
  const samples = (): readonly number[] => [...synthetic(width, height, 3).data];
  const png = pngs.get(key) ?? makePng({ width, height, colour: 'rgb', samples: samples() });
  pngs.set(key, png);
  return png;
}
