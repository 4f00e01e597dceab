import { readdir, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { type LabelledRows, nearestNeighbourAccuracy } from '../../demo/src/nearest-neighbour.ts';
import { DEMO_RECIPE, FEATURE_LAYER } from '../../demo/src/network.ts';
import { prepareDemoRows } from '../../demo/src/prepared-rows.ts';
import { SHAPE_NAMES } from '../../demo/src/shapes.ts';
import { openWasmEngine } from '../../extractor/src/engines/wasm.ts';
import { readRecipeFile, sidecarPathOf } from '../../shared/src/recipe-file.ts';

const FOLDER = fileURLToPath(new URL('../../demo/model/', import.meta.url));
const MODEL = `${FOLDER}model.json`;
/** Neither the demo's nor the training's. */
const UNSEEN_SEED = 77;
const INPUT_SHAPE = [DEMO_RECIPE.height, DEMO_RECIPE.width, 3];

describe('the committed demo model', () => {
  let unseen: LabelledRows;

  beforeAll(async () => {
    unseen = await prepareDemoRows({ recipe: DEMO_RECIPE, perClass: 20, seed: UNSEEN_SEED });
  });

  it('stays under 1 MB with its weights', async () => {
    const files = await readdir(FOLDER);
    const sizes = await Promise.all(files.map(async file => (await stat(FOLDER + file)).size));
    expect(files.sort()).toEqual(['model.json', 'model.recipe.json', 'weights.bin']);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1_000_000);
  });

  it('has its recipe beside it', async () => {
    expect(await readRecipeFile(sidecarPathOf(MODEL))).toEqual(DEMO_RECIPE);
  });

  it('gives features that beat raw pixels by at least 20 points on images that it has never seen', async () => {
    const pixels = nearestNeighbourAccuracy(unseen);
    const features = nearestNeighbourAccuracy({ values: await runLayer(FEATURE_LAYER, unseen), labels: unseen.labels });
    console.log(
      `nearest neighbour on ${unseen.labels.length} held-out images: raw pixels ${pixels}, features ${features}`,
    );
    expect(features - pixels).toBeGreaterThanOrEqual(0.2);
  });

  it('names the right shape for most of them', async () => {
    const predictions = await runLayer('predictions', unseen);
    const classes = SHAPE_NAMES.length;
    const right = unseen.labels.filter((label, row) => {
      const scores = predictions.subarray(row * classes, (row + 1) * classes);
      return SHAPE_NAMES[scores.indexOf(Math.max(...scores))] === label;
    });
    expect(right.length / unseen.labels.length).toBeGreaterThan(0.8);
  });
});

/** On the wasm engine, which every machine has. */
async function runLayer(layer: string, { values, labels }: LabelledRows): Promise<Float32Array> {
  const engine = await openWasmEngine();
  const extractor = await engine.load({ model: MODEL, layers: [layer], inputShape: INPUT_SHAPE });
  try {
    const [output] = await extractor.run({ dtype: 'float32', shape: [labels.length, ...INPUT_SHAPE], data: values });
    if (output === undefined) throw new Error(`Expected an output for '${layer}'`);
    return output.data;
  } finally {
    await extractor.close();
  }
}
