// The memory of batches: what an image leaves in its slot is what the model gets, as levels or as values.
import { describe, expect, it } from 'vitest';
import { openValues } from '../../../extractor/src/input-batch.ts';
import { prepareImage, prepareInputs } from '../../../extractor/src/preprocess/prepare-image.ts';
import { openBatchBuffers } from '../../../services/worker/src/batch-buffers.ts';
import { RESIZE_KERNELS, Recipe } from '../../../shared/src/recipe.ts';
import { makePng } from '../../extractor/preprocess/images.ts';

const colour = makePng({ width: 9, height: 7, colour: 'rgb', samples: Array.from({ length: 189 }, (_, i) => i) });
const gray = makePng({ width: 9, height: 7, colour: 'gray', samples: Array.from({ length: 63 }, (_, i) => 4 * i) });

describe('openBatchBuffers', () => {
  for (const resize of RESIZE_KERNELS) {
    it.each(['rgb', 'bgr', 'gray'] as const)(`has the values that ${resize} gives a model of %s`, async channels => {
      const recipe = Recipe.parse({
        ...{ width: 4, height: 5, resize, channels, crop: { kind: 'center', shorterSide: 3 }, scale: 1 / 255 },
        ...(channels === 'gray' ? { mean: 0.5 } : { mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3] }),
      });
      const images = [colour, gray];
      const { batch, slotOf } = openBatchBuffers().take(recipe, images.length);
      for (const [row, image] of images.entries()) {
        expect(await prepareInputs(image, [slotOf(row)])).toMatchObject({ ok: true });
      }
      const alone = await Promise.all(images.map(image => prepareImage(image, recipe)));
      const expected = alone.flatMap(result => (result.ok ? [...result.image.values] : []));
      expect([...openValues()(batch).data]).toEqual(expected);
    });
  }

  it('holds 8-bit levels where the resize ends with such', () => {
    const buffers = openBatchBuffers();
    const dtypeOf = (resize: string): string => {
      return buffers.take(Recipe.parse({ width: 4, height: 4, scale: 1, resize }), 1).batch.dtype;
    };
    expect(dtypeOf('pillow:bicubic')).toBe('uint8');
    expect(dtypeOf('tf:bilinear')).toBe('float32');
  });

  it('gives back memory to the next batch that fits into it', () => {
    const buffers = openBatchBuffers();
    const recipe = Recipe.parse({ width: 4, height: 4, scale: 1 });
    const first = buffers.take(recipe, 3);
    const second = buffers.take(recipe, 3);
    expect(second.batch.data.buffer).not.toBe(first.batch.data.buffer);
    first.giveBack();
    const third = buffers.take(recipe, 2);
    expect(third.batch.data.buffer).toBe(first.batch.data.buffer);
    expect(third.batch.shape).toEqual([2, 4, 4, 3]);
  });

  it('takes the same memory for a full batch and the last one of a shard, whichever comes first', () => {
    const buffers = openBatchBuffers();
    const recipe = Recipe.parse({ width: 64, height: 64, scale: 1 });
    const seen = new Set<ArrayBufferLike>();
    for (const rows of [30, 32, 31, 32]) {
      const { batch, giveBack } = buffers.take(recipe, rows);
      seen.add(batch.data.buffer);
      giveBack();
    }
    expect(seen.size).toBe(1);
  });
});
