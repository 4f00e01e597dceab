// `npx layertap fit`: trains a tfjs layers model on labelled images and writes the features of some of them as it learns.
import { resolve } from 'node:path';
import { z } from 'zod';
import { Refusal } from '../../../shared/src/errors.ts';
import { extractOptions, oneModel, outputOptions } from '../../../shared/src/extract-options.ts';
import { createLogger } from '../../../shared/src/logger.ts';
import { recipeOptions } from '../../../shared/src/recipe-options.ts';
import { sourceOptions } from '../../../shared/src/source-options.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { defineCommand } from '../command.ts';
import { type FitOptions, planFit } from '../fit/fit-run.ts';
import { requireEmpty } from '../fit/snapshot-parts.ts';
import { trainModel } from '../fit/train-model.ts';

const count = z.coerce.number().int().min(1);

export const fit = defineCommand({
  name: 'fit',
  summary: 'Train a tfjs layers model on labelled images, writing features as it learns',
  positionals: 'SOURCE',
  options: {
    model: oneModel,
    layer: extractOptions.layer,
    out: extractOptions.out,
    format: extractOptions.format,
    tensors: extractOptions.tensors,
    epochs: count.default(5).meta({ description: 'Passes over the images', value: 'N' }),
    batch: count.default(32).meta({ description: 'Images per training step', value: 'N' }),
    everyEpochs: count.optional().meta({
      description: 'Write features after every N epochs; 1 where --every-batches is not given',
      value: 'N',
    }),
    everyBatches: count.optional().meta({ description: 'Write features after every N batches', value: 'N' }),
    probe: count
      .default(100)
      .meta({ description: 'Images whose features are written, spread over SOURCE', value: 'N' }),
    learningRate: z.coerce.number().positive().default(0.001).meta({ description: "Adam's step size", value: 'R' }),
    seed: z.coerce.number().int().default(1).meta({ description: 'Decides the order of the images', value: 'N' }),
    ...sourceOptions,
    ...recipeOptions,
    ...outputOptions,
  },
  async run({ options, positionals, lifecycle }): Promise<number> {
    const [source, ...others] = positionals;
    if (source === undefined || others.length > 0) {
      throw new Refusal('bad-option', `Expected one SOURCE but received ${positionals.length}`, {
        hint: 'See `npx layertap fit --help`.',
      });
    }
    const settings: FitOptions = {
      ...options,
      source,
      pool: 'none',
      normalize: 'none',
      dtype: 'float32',
      withPredictions: false,
      deterministic: false,
      duplicates: 'refuse',
      engine: 'tensorflow',
      shardSize: undefined,
      limit: undefined,
    };
    const logger = createLogger({ json: options.json });
    const storage = openFileStorage(resolve(options.out));
    await requireEmpty(storage);
    const plan = await planFit(settings);
    for (const note of plan.notes) logger.log('info', note);
    const { samples, classes, unlabelled } = plan.training;
    logger.log('info', `${samples.length} images in ${classes.length} classes, features of ${plan.probe.length}`);
    if (unlabelled > 0) logger.log('warn', `${unlabelled} images have no label and are left out`);

    let unreadable = 0;
    let snapshots = 0;
    const started = performance.now();
    await trainModel(plan, storage, settings, {
      stopping: lifecycle.stopping,
      onUnreadable: images => {
        unreadable += images;
      },
      onSnapshot: ({ epoch, step, files }) => {
        snapshots++;
        logger.log('info', `features at epoch ${epoch}, step ${step}`, { files: files.map(({ path }) => path) });
      },
      onEpoch: ({ epoch, loss, accuracy }) => {
        logger.log('info', `epoch ${epoch}/${settings.epochs}`, { loss: round(loss), accuracy: round(accuracy) });
      },
    });
    if (unreadable > 0) logger.log('warn', `${unreadable} images could not be read and taught nothing`);
    if (lifecycle.stopping.aborted) {
      throw new Refusal('interrupted', `Stopped after ${snapshots} snapshots; those in '${storage.root}' are whole`, {
        hint: 'Training begins anew in another --out.',
      });
    }
    const seconds = round((performance.now() - started) / 1000);
    const summary = { out: storage.root, snapshots, rows: snapshots * plan.probe.length, unreadable, seconds };
    process.stdout.write(
      options.json
        ? `${JSON.stringify(summary)}\n`
        : `${snapshots} snapshots of ${plan.probe.length} images in ${seconds} s: ${storage.root}\n`,
    );
    return 0;
  },
});

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
