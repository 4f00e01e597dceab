// The resize against Pillow's own bytes, for every kernel.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MAX_CACHED_BYTES, wholeAxis } from '../../../extractor/src/preprocess/axis.ts';
import { axisCoefficients } from '../../../extractor/src/preprocess/pillow-coefficients.ts';
import { type PillowKernel, resizePillow } from '../../../extractor/src/preprocess/pillow-resize.ts';
import type { Pixels } from '../../../extractor/src/preprocess/pixels.ts';
import { synthetic } from './images.ts';

interface Golden {
  readonly pillow: string;
  readonly cases: readonly {
    readonly from: readonly [number, number];
    readonly to: readonly [number, number];
    readonly channels: 1 | 3;
    readonly kernel: PillowKernel;
    readonly sha256: string;
  }[];
}

const golden = JSON.parse(readFileSync(new URL('./golden/resize.json', import.meta.url), 'utf8')) as Golden;

describe(`resizePillow against Pillow ${golden.pillow}`, () => {
  for (const { from, to, channels, kernel, sha256 } of golden.cases) {
    it(`gives Pillow's bytes for ${kernel} from ${from.join('x')} to ${to.join('x')} with ${channels} channels`, () => {
      const resized = squash(synthetic(from[0], from[1], channels), to[0], to[1], kernel);
      expect(createHash('sha256').update(resized.data).digest('hex')).toBe(sha256);
    });
  }
});

describe('resizePillow', () => {
  it('keeps a uniform image uniform under every kernel, so the weights add up to 1', () => {
    for (const kernel of ['nearest', 'box', 'bilinear', 'bicubic', 'lanczos'] as const) {
      const white: Pixels = { data: new Uint8Array(61 * 43).fill(255), width: 61, height: 43, channels: 1 };
      expect(new Set(squash(white, 17, 99, kernel).data)).toEqual(new Set([255]));
    }
  });

  it('leaves its input as it was', () => {
    const image = synthetic(20, 30, 3);
    const before = image.data.slice();
    squash(image, 7, 9, 'lanczos');
    expect(image.data).toEqual(before);
  });

  it('gives the same bytes when its tables come from the cache and after they have left it', () => {
    const image = synthetic(50, 60, 3);
    const first = squash(image, 20, 20, 'bicubic').data;
    expect(squash(image, 20, 20, 'bicubic').data).toEqual(first);
    // About 1 MB each: together more than the cache holds.
    for (let i = 0; i < 20; i++) squash(synthetic(65_000 + i, 1, 1), 10, 1, 'bicubic');
    expect(squash(image, 20, 20, 'bicubic').data).toEqual(first);
  });
});

describe('axisCoefficients', () => {
  it('gives the table that it has, and keeps no more of them than its bound', () => {
    const sizes = Array.from({ length: 40 }, (_, i) => 60_000 + i);
    const tables = sizes.map(size => axisCoefficients(wholeAxis(size, 224), 'lanczos'));
    let kept = 0;
    // From the youngest on: asking for one that has gone would push out others.
    for (const [i, table] of [...tables.entries()].reverse()) {
      if (axisCoefficients(wholeAxis(sizes[i] ?? 0, 224), 'lanczos') !== table) break;
      kept += table.weights.byteLength + table.starts.byteLength + table.counts.byteLength;
    }
    expect(kept).toBeGreaterThan(MAX_CACHED_BYTES / 2);
    expect(kept).toBeLessThanOrEqual(MAX_CACHED_BYTES);
  });

  it('keeps no table that is larger than its bound', () => {
    const table = axisCoefficients(wholeAxis(800_000, 224), 'lanczos');
    expect(table.weights.byteLength).toBeGreaterThan(MAX_CACHED_BYTES);
    expect(axisCoefficients(wholeAxis(800_000, 224), 'lanczos') === table).toBe(false);
  });

  it('makes a table no wider than the input, however far the kernel reaches', () => {
    expect(axisCoefficients(wholeAxis(1000, 1), 'lanczos').weights).toHaveLength(1000);
  });
});

function squash(image: Pixels, width: number, height: number, kernel: PillowKernel): Pixels {
  return resizePillow(image, wholeAxis(image.width, width), wholeAxis(image.height, height), kernel);
}
