// The whole way from file to pixels against the real Pillow, on photos and on files made to break decoders.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { prepareImage } from '../../../extractor/src/preprocess/prepare-image.ts';
import { Recipe, type RecipeInput } from '../../../shared/src/recipe.ts';
import { runPython } from '../../support/python.ts';
import { haveImages, IMAGES, listImages, whyNoImages } from './images.ts';

const python = inject('python');
const why = python.ready ? whyNoImages : ` (skipped: ${python.reason})`;

/** sha256 of Pillow's resized pixels for each file, null where it raises. */
const PILLOW = `
import hashlib, warnings
from PIL import Image, ImageOps
warnings.simplefilter("ignore")

def digest(path):
    try:
        image = Image.open(path)
        if given["apply"]:
            image = ImageOps.exif_transpose(image)
        resized = image.convert(given["mode"]).resize(given["size"], Image.Resampling[given["kernel"].upper()])
        return hashlib.sha256(resized.tobytes()).hexdigest()
    except Exception:
        return None

print(json.dumps([digest(path) for path in given["paths"]]))
`;

/**
 * Photos that only Pillow takes. Their entropy-coded data is damaged so that the decoders resynchronise differently:
 * libvips' libjpeg (mozjpeg) gives up where Pillow's (libjpeg-turbo) goes on with whatever comes.
 */
const ONLY_PILLOW_ACCEPTS = [
  'broken/8e5e74dbf9b68a322fbb9512db837329.jpg',
  'broken/b55977028a3a574336966b6536640fc9.jpg',
  'broken/f6b4389c3cf0f5997b2e5a4b905aea8d.jpg',
];

describe.skipIf(!haveImages || !python.ready)(`prepareImage against Pillow${why}`, () => {
  it('gives the same pixels for photos under every kernel', async () => {
    const paths = (await listImages('clothing')).filter((_, i) => i % 20 === 0);
    for (const resize of ['nearest', 'box', 'bilinear', 'bicubic', 'lanczos'] as const) {
      const recipe = { width: 224, height: 224, resize };
      expect(await ours(paths, recipe)).toEqual(await pillows(paths, recipe));
    }
  });

  it('gives the same grey pixels, which are converted before they are resized', async () => {
    const paths = (await listImages('clothing/hat')).concat(await listImages('pngsuite'));
    const recipe = { width: 48, height: 48, channels: 'gray' } as const;
    expect(await ours(paths, recipe)).toEqual(await pillows(paths, recipe));
  });

  it('takes and refuses the same files of PngSuite, every colour type and depth, with the same pixels', async () => {
    const paths = await listImages('pngsuite');
    const recipe = { width: 32, height: 32 };
    expect(await ours(paths, recipe)).toEqual(await pillows(paths, recipe));
  });

  it('gives the same pixels for CMYK, WebP and every orientation, ignored or applied', async () => {
    const paths = await listImages('oddities');
    for (const exif of ['ignore', 'apply'] as const) {
      const recipe = { width: 100, height: 80, exif };
      expect(await ours(paths, recipe)).toEqual(await pillows(paths, recipe));
    }
  });

  it('takes and refuses the same broken JPEGs but for three', async () => {
    const paths = await listImages('broken');
    const recipe = { width: 32, height: 32 };
    const [mine, theirs] = [await ours(paths, recipe), await pillows(paths, recipe)];
    expect(Object.keys(mine).filter(path => mine[path] !== theirs[path])).toEqual(ONLY_PILLOW_ACCEPTS);
    for (const path of ONLY_PILLOW_ACCEPTS) expect(mine[path]).toBeNull();
  });
});

type ParityRecipe = Omit<RecipeInput, 'scale'>;
type Digests = Readonly<Record<string, string | null>>;

async function ours(paths: readonly string[], input: ParityRecipe): Promise<Digests> {
  const recipe = Recipe.parse({ ...input, scale: 1 });
  const digests: Record<string, string | null> = {};
  for (const path of paths) {
    const result = await prepareImage(await readFile(join(IMAGES, path)), recipe);
    digests[path] = result.ok ? createHash('sha256').update(Uint8Array.from(result.image.values)).digest('hex') : null;
  }
  return digests;
}

async function pillows(paths: readonly string[], recipe: ParityRecipe): Promise<Digests> {
  const digests = await runPython<readonly (string | null)[]>(PILLOW, {
    paths: paths.map(path => join(IMAGES, path)),
    size: [recipe.width, recipe.height],
    kernel: recipe.resize ?? 'bilinear',
    mode: recipe.channels === 'gray' ? 'L' : 'RGB',
    apply: recipe.exif === 'apply',
  });
  return Object.fromEntries(paths.map((path, i) => [path, digests[i] ?? null]));
}
