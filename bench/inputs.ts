// What all contestants are given: the same images, model, layer and recipe. The shared photos and a real MobileNetV2 where
// they are on this machine, else the demo images and the demo model.
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEMO_SEED, makeDemoImages } from '../demo/src/images.ts';
import { Recipe } from '../shared/src/recipe.ts';
import { readRecipeFile } from '../shared/src/recipe-file.ts';

export interface BenchInputs {
  /** Of the measured run, in order; a photo may be among them more than once. */
  readonly images: readonly string[];
  /** The same as a list with ids of their own, for the pipeline. */
  readonly listFile: string;
  /** The same, one path a line, for the Keras script. */
  readonly pathsFile: string;
  /** model.json of a tfjs layers model. */
  readonly model: string;
  /** Its output is pooled by the mean. */
  readonly layer: string;
  readonly recipe: Recipe;
  readonly recipeFile: string;
  /** For people. */
  readonly names: { readonly images: string; readonly model: string };
}

interface Network {
  readonly model: string;
  readonly layer: string;
  readonly recipe: Recipe;
  readonly name: string;
}

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const SHARED = join(ROOT, '../shared/data');
const PHOTOS = join(SHARED, 'images/clothing');
const MOBILENET = join(SHARED, 'models/tfjs-layers-nsfw-mobilenet-v2/model.json');
const DEMO_MODEL = join(ROOT, 'demo/model/model.json');

/** @param folder where lists, the recipe and demo images are written */
export async function prepareInputs(folder: string, count: number): Promise<BenchInputs> {
  const { files, name } = await findImages(folder);
  // Photos come once or several times; where there are more than enough, they are taken from all classes.
  const images = Array.from({ length: count }, (_, index) => {
    const position = count > files.length ? index % files.length : Math.floor((index * files.length) / count);
    return files[position] as string;
  });
  // All contestants find the files in the system's cache, the first one too.
  for (const file of files) await readFile(file);
  const network = await findNetwork();
  const paths = {
    listFile: join(folder, 'list.jsonl'),
    pathsFile: join(folder, 'paths.txt'),
    recipeFile: join(folder, 'recipe.json'),
  };
  const rows = images.map((path, index) => JSON.stringify({ sample_id: String(index).padStart(7, '0'), path }));
  await writeFile(paths.listFile, `${rows.join('\n')}\n`);
  await writeFile(paths.pathsFile, `${images.join('\n')}\n`);
  await writeFile(paths.recipeFile, JSON.stringify(network.recipe));
  const { model, layer, recipe } = network;
  return { ...paths, images, model, layer, recipe, names: { images: name, model: network.name } };
}

async function findImages(folder: string): Promise<{ readonly files: readonly string[]; readonly name: string }> {
  if (existsSync(PHOTOS)) {
    const files = await listJpegs(PHOTOS);
    return { files, name: `${files.length} photos (shorter side 400 pixels)` };
  }
  const images = join(folder, 'images');
  await makeDemoImages(images, { seed: DEMO_SEED, broken: false });
  const files = await listJpegs(images);
  return { files, name: `${files.length} demo images (120 to 400 pixels a side)` };
}

async function listJpegs(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true });
  const files = entries.filter(entry => /\.jpe?g$/i.test(entry)).sort();
  return files.map(entry => join(folder, entry));
}

async function findNetwork(): Promise<Network> {
  if (existsSync(MOBILENET)) {
    const recipe = Recipe.parse({ width: 224, height: 224, scale: 1 / 255 });
    return { model: MOBILENET, layer: 'out_relu', recipe, name: 'MobileNetV2, 224x224' };
  }
  const recipe = await readRecipeFile(join(ROOT, 'demo/model/model.recipe.json'));
  return { model: DEMO_MODEL, layer: 'relu4', recipe, name: 'the demo model, 64x64' };
}
