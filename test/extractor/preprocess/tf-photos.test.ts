// Whole photos as Keras' image_dataset_from_directory gives them, by the real TensorFlow, where it is on this machine.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareImage } from '../../../extractor/src/preprocess/prepare-image.ts';
import { RESIZE_KERNELS, Recipe } from '../../../shared/src/recipe.ts';
import { runKeras, whyNoKeras } from '../../support/cached-keras.ts';
import { haveImages, IMAGES, listImages, whyNoImages } from './images.ts';

const why = whyNoImages || whyNoKeras;

/** Writes the float32 values of each photo, decoded by TensorFlow with the DCT that is asked for, and resized. */
const TENSORFLOW = `
import pathlib
import tensorflow as tf

for k, kernel in enumerate(given["kernels"]):
    method, _, antialias = kernel.removeprefix("tf:").partition("+")
    for i, path in enumerate(given["paths"]):
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3, dct_method=given["dct"])
        values = tf.image.resize(image, (given["height"], given["width"]), method=method, antialias=bool(antialias))
        pathlib.Path(given["folder"], f"{k}-{i}").write_bytes(tf.cast(values, tf.float32).numpy().tobytes())
print("null")
`;

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'layertap-tf-photos-'));
});

afterAll(() => rm(folder, { recursive: true }));

describe.skipIf(!haveImages || whyNoKeras !== '')(`photos through TensorFlow${why}`, () => {
  it('gives the same values under every kernel where TensorFlow decodes exactly', async () => {
    const kernels = RESIZE_KERNELS.filter(kernel => kernel.startsWith('tf:'));
    const differences = await compare(kernels, 'INTEGER_ACCURATE');
    for (const { kernel, max } of differences) {
      // The last bit of a sine decides some weights of lanczos.
      const tolerance = kernel.includes('lanczos') ? 1e-4 : 0;
      expect({ kernel, max: max <= tolerance ? 0 : max }).toEqual({ kernel, max: 0 });
    }
  }, 300_000);

  it("differs by TensorFlow's own faster DCT where that is left on, as in Keras' data sets: about a level", async () => {
    const [difference] = await compare(['tf:bilinear'], '');
    expect(difference?.mean).toBeGreaterThan(0);
    expect(difference?.mean).toBeLessThan(1.5);
    expect(difference?.max).toBeLessThan(12);
  }, 300_000);
});

interface Difference {
  readonly kernel: string;
  readonly mean: number;
  readonly max: number;
}

async function compare(
  kernels: readonly (typeof RESIZE_KERNELS)[number][],
  dct: string,
): Promise<readonly Difference[]> {
  const paths = (await listImages('clothing')).filter((_, i) => i % 80 === 0).map(path => join(IMAGES, path));
  await runKeras<null>(TENSORFLOW, { paths, kernels, dct, folder, width: 200, height: 224 });
  const differences: Difference[] = [];
  for (const [k, kernel] of kernels.entries()) {
    const recipe = Recipe.parse({ width: 200, height: 224, resize: kernel, scale: 1 });
    let max = 0;
    let sum = 0;
    let count = 0;
    for (const [i, path] of paths.entries()) {
      const result = await prepareImage(await readFile(path), recipe);
      if (!result.ok) throw new Error(`${path}: ${result.failure.message}`);
      const bytes = Uint8Array.from(await readFile(join(folder, `${k}-${i}`)));
      for (const [at, value] of new Float32Array(bytes.buffer).entries()) {
        const difference = Math.abs(value - (result.image.values[at] as number));
        max = Math.max(max, difference);
        sum += difference;
        count += 1;
      }
    }
    expect(count).toBe(paths.length * 200 * 224 * 3);
    differences.push({ kernel, mean: sum / count, max });
  }
  return differences;
}
