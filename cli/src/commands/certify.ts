// `npx layertap certify`: the features of a user's own model against a reference from Python, with a verdict in JSON.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import {
  extractOptions,
  oneModel,
  outputOptions,
  prepareOptions,
  workerOptions,
} from '../../../shared/src/extract-options.ts';
import { readReceipts } from '../../../shared/src/run.ts';
import { compareRun } from '../certify/compare.ts';
import { openReference } from '../certify/reference.ts';
import { decideVerdict, formatVerdict } from '../certify/verdict.ts';
import { defineCommand } from '../command.ts';
import { runEmbedded } from '../embedded.ts';
import { planFromCommand } from '../plan-command.ts';

/** What decides the output of an extraction, not its features, is settled here. */
const {
  model: _model,
  out: _out,
  format: _format,
  layer: _layer,
  withPredictions: _predictions,
  ...featureOptions
} = extractOptions;

const fraction = z.coerce.number().min(0);

export const certify = defineCommand({
  name: 'certify',
  summary: 'Compare the features of a model with a reference from Python; exit status 0 where they agree, else 1',
  positionals: '',
  options: {
    model: oneModel,
    ...featureOptions,
    layer: z.string().meta({ description: 'The layer to compare', value: 'NAME' }),
    reference: z
      .string()
      .meta({ description: 'Features from Python: .npy, or .parquet with sample_id or path', value: 'FILE' }),
    images: z
      .string()
      .optional()
      .meta({ description: "Source of the images; without it, the reference's own paths", value: 'SOURCE' }),
    threshold: fraction.max(1).default(0.99999).meta({ description: 'Least cosine of every image', value: 'C' }),
    tolerance: fraction
      .default(0.001)
      .meta({ description: 'Largest difference, as a part of the largest reference value', value: 'R' }),
    out: z.string().optional().meta({ description: 'File for the verdict as JSON', value: 'FILE.json' }),
    ...workerOptions,
    ...prepareOptions,
    ...outputOptions,
  },
  async run({ options, lifecycle }): Promise<number> {
    const path = resolve(options.reference);
    const reference = await openReference(path);
    const folder = await mkdtemp(join(tmpdir(), 'layertap-certify-'));
    lifecycle.defer(() => rm(folder, { recursive: true, force: true }));
    const { run, storage } = await planFromCommand({
      command: 'certify',
      options: {
        ...options,
        model: [options.model],
        layer: [options.layer],
        out: join(folder, 'run'),
        format: 'arrow',
        withPredictions: false,
      },
      positionals: [options.images ?? (await reference.defaultImages(folder))],
      signal: lifecycle.stopping,
    });
    await runEmbedded({ ...options, run, storage, lifecycle });
    const comparison = await compareRun(storage, run, reference);
    let versions = run.versions;
    for await (const receipt of readReceipts(storage, run)) versions = { ...versions, ...receipt.versions };
    const { threshold, tolerance } = options;
    const verdict = decideVerdict(comparison, { run, reference: path, threshold, tolerance, versions });
    if (options.out !== undefined) await writeFile(resolve(options.out), `${JSON.stringify(verdict, null, 2)}\n`);
    process.stdout.write(`${options.json ? JSON.stringify(verdict) : formatVerdict(verdict)}\n`);
    return verdict.passed ? 0 : 1;
  },
});
