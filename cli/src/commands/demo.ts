// layertap demo: the main job on images that it makes itself, with the model that comes along.
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { makeDemoImages } from '../../../demo/src/images.ts';
import { extractOptions, outputOptions, prepareOptions, workerOptions } from '../../../shared/src/extract-options.ts';
import { createLogger } from '../../../shared/src/logger.ts';
import { findRun } from '../../../shared/src/run.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { packageRoot } from '../../../shared/src/versions.ts';
import { defineCommand } from '../command.ts';
import { extract } from './extract.ts';

const DEMO_LAYERS = ['conv3', 'features'];

export const demo = defineCommand({
  name: 'demo',
  summary: 'Extract two layers of the demo model from 500 images that it draws',
  positionals: '',
  options: {
    out: z.string().default('layertap-demo').meta({ description: 'Where images and features go', value: 'DIR' }),
    format: extractOptions.format,
    engine: extractOptions.engine,
    ...workerOptions,
    ...prepareOptions,
    ...outputOptions,
  },
  async run({ options, lifecycle }): Promise<number> {
    const directory = resolve(options.out);
    const photos = `${directory}/images`;
    const made = await makeDemoImages(photos);
    createLogger({ json: options.json }).log(
      'info',
      `demo images: ${made.images} and ${made.broken} broken ones in ${photos}`,
    );
    await removeFormerRun(`${directory}/features`, photos);
    const model = fileURLToPath(new URL('demo/model/model.json', packageRoot()));
    return extract.run({
      options: {
        ...options,
        model: [model],
        layer: DEMO_LAYERS,
        out: `${directory}/features`,
        tensors: 'typed',
        maxFailed: undefined,
        followLinks: false,
        noCarry: false,
        pool: 'none',
        normalize: 'none',
        dtype: 'float32',
        withPredictions: false,
        deterministic: false,
        batch: 32,
        duplicates: 'refuse',
      },
      positionals: [photos],
      lifecycle,
    });
  },
});

/** Each demo shows the whole job: what an earlier one wrote goes, and nothing else. */
async function removeFormerRun(out: string, photos: string): Promise<void> {
  const former = await findRun(openFileStorage(out));
  if (former?.source === photos) await rm(out, { recursive: true });
}
