// The resize against TensorFlow's own values, for every kernel of tf.image.resize.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { resizeToInput } from '../../../extractor/src/preprocess/resize.ts';
import { RESIZE_KERNELS, Recipe, type ResizeKernel } from '../../../shared/src/recipe.ts';
import { synthetic } from './images.ts';

interface Golden {
  readonly tensorflow: string;
  readonly cases: readonly {
    readonly from: readonly [number, number];
    readonly to: readonly [number, number];
    readonly channels: 1 | 3;
    readonly kernel: ResizeKernel;
    /** Every so many values of the output stand in `values`. */
    readonly step: number;
    readonly values: readonly number[];
  }[];
}

const golden = JSON.parse(readFileSync(new URL('./golden/tf-resize.json', import.meta.url), 'utf8')) as Golden;

/** A lanczos weight may differ by the last bit of a sine; everything else is equal to the bit. */
const LANCZOS_TOLERANCE = 1e-4;

describe(`tf kernels against TensorFlow ${golden.tensorflow}`, () => {
  const kernels = RESIZE_KERNELS.filter(kernel => kernel.startsWith('tf:'));

  it.each(kernels)('gives the values of %s, not rounded to 8 bits', kernel => {
    const cases = golden.cases.filter(each => each.kernel === kernel);
    expect(cases.length).toBeGreaterThan(10);
    for (const { from, to, channels, step, values } of cases) {
      const recipe = Recipe.parse({ width: to[0], height: to[1], resize: kernel, scale: 1 });
      const { data } = resizeToInput(synthetic(from[0], from[1], channels), recipe);
      const sampled = Array.from(values, (_, i) => data[i * step] as number);
      const tolerance = kernel.includes('lanczos') ? LANCZOS_TOLERANCE : 0;
      const worst = Math.max(...sampled.map((value, i) => Math.abs(value - Math.fround(values[i] as number))));
      expect({ from, to, channels, worst: worst <= tolerance ? 0 : worst }).toEqual({ from, to, channels, worst: 0 });
    }
  });
});
