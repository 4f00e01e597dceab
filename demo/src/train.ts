// `npm run demo:train`: trains the demo model with way 4, a callback that takes features while a model trains, and saves it.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { openTensorFlowEngine } from '../../extractor/src/engines/tensorflow.ts';
import { featureCallback } from '../../extractor/src/methods/fit-callback.ts';
import { tfjs } from '../../extractor/src/tfjs.ts';
import { DEMO_SEED } from './images.ts';
import { type LabelledRows, nearestNeighbourAccuracy } from './nearest-neighbour.ts';
import { createNetwork, DEMO_RECIPE, FEATURE_LAYER } from './network.ts';
import { prepareDemoRows } from './prepared-rows.ts';
import { saveModel } from './save-model.ts';
import { SHAPE_NAMES } from './shapes.ts';

/** The held-out images are those that `npm start` shows: of another seed, so none of them is ever trained on. */
const TRAINING_SEED = 2;
const TRAINING_PER_CLASS = 300;
const HELD_OUT_PER_CLASS = 50;
const EPOCHS = 14;
const BATCH = 32;
const WEIGHTS_SEED = 11;
/** A model whose features gain less than this over raw pixels shows nothing. */
const LEAST_GAIN = 0.2;

/** @param directory takes model.json, weights.bin and model.recipe.json */
async function train(directory: string): Promise<void> {
  await openTensorFlowEngine({});
  const started = performance.now();
  const training = await prepareDemoRows({ recipe: DEMO_RECIPE, perClass: TRAINING_PER_CLASS, seed: TRAINING_SEED });
  const heldOut = await prepareDemoRows({ recipe: DEMO_RECIPE, perClass: HELD_OUT_PER_CLASS, seed: DEMO_SEED });
  const pixels = nearestNeighbourAccuracy(heldOut);
  say(`raw pixels    nearest neighbour ${percent(pixels)} of ${heldOut.labels.length} held-out images`);

  const model = createNetwork(SHAPE_NAMES.length, WEIGHTS_SEED);
  model.setUserDefinedMetadata({ classes: SHAPE_NAMES });
  model.compile({ optimizer: tfjs().train.adam(0.002), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  let features = 0;
  const callback = featureCallback({
    model,
    layers: [FEATURE_LAYER],
    samples: toImages(heldOut),
    batch: 100,
    write: async ({ epoch, step, features: [taken] }) => {
      if (taken === undefined) throw new Error(`Expected features of '${FEATURE_LAYER}'`);
      features = nearestNeighbourAccuracy({ values: taken.tensor.data, labels: heldOut.labels });
      say(`epoch ${epoch}/${EPOCHS}  step ${step}  nearest neighbour ${percent(features)}`);
    },
  });
  // The rows are mixed already; tfjs would shuffle them by Math.random, differently every time.
  await model.fit(toImages(training), toOneHot(training.labels), {
    epochs: EPOCHS,
    batchSize: BATCH,
    shuffle: false,
    verbose: 0,
    callbacks: callback,
  });

  if (features - pixels < LEAST_GAIN) {
    throw new Error(
      `Expected features to beat raw pixels by 20 points but received ${percent(features)}; nothing was saved`,
    );
  }
  const bytes = await saveModel(model, directory);
  await writeFile(join(directory, 'model.recipe.json'), `${JSON.stringify(DEMO_RECIPE, null, 2)}\n`);
  say(
    `features      nearest neighbour ${percent(features)}, ${((features - pixels) * 100).toFixed(1)} points above raw pixels`,
  );
  say(
    `${join(directory, 'model.json')}  ${Math.ceil(bytes / 1024)} KiB, ${((performance.now() - started) / 1000).toFixed(0)} s`,
  );
}

function toImages(rows: LabelledRows): tf.Tensor4D {
  return tfjs().tensor4d(rows.values, [rows.labels.length, DEMO_RECIPE.height, DEMO_RECIPE.width, 3]);
}

function toOneHot(labels: readonly string[]): tf.Tensor {
  const classes: readonly string[] = SHAPE_NAMES;
  const numbers = labels.map(label => classes.indexOf(label));
  return tfjs().tidy(() => tfjs().oneHot(tfjs().tensor1d(numbers, 'int32'), classes.length));
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await train(process.argv[2] ?? join('demo', 'model'));
