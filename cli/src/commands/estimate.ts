// layertap estimate: what each layer of a model would take on disk, before anything is extracted.
import { z } from 'zod';
import { planColumns } from '../../../extractor/src/columns.ts';
import { type ModelFile, openModel } from '../../../extractor/src/model.ts';
import { resolveModel } from '../../../extractor/src/model-download.ts';
import { layerPoolingProblem } from '../../../extractor/src/poolable.ts';
import { selectLayers } from '../../../extractor/src/select.ts';
import { outputBytes } from '../../../services/producer/src/output-size.ts';
import { openSource } from '../../../services/producer/src/source.ts';
import { formatBytes } from '../../../shared/src/byte-size.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import { extractOptions, outputOptions } from '../../../shared/src/extract-options.ts';
import { type Pooling, poolingsOf } from '../../../shared/src/pooling.ts';
import { findSidecarRecipe } from '../../../shared/src/recipe-file.ts';
import { formatsOf } from '../../../shared/src/request.ts';
import { sourceOptions, sourceSettings } from '../../../shared/src/source-options.ts';
import { bytesPerRow, type FeatureSpec, sizeOfShape } from '../../../shared/src/tensor.ts';
import { defineCommand } from '../command.ts';
import { formatTable } from '../table.ts';

const options = {
  layer: z
    .array(z.string())
    .min(1)
    .optional()
    .meta({ description: 'Layer to look at, as in extract; without it, all', value: 'NAME' }),
  images: z.coerce
    .number()
    .int()
    .min(1)
    .optional()
    .meta({ description: 'Count of images; without it, those of SOURCE, else 1000', value: 'N' }),
  pool: extractOptions.pool,
  dtype: extractOptions.dtype,
  format: extractOptions.format,
  size: extractOptions.size,
  limit: extractOptions.limit,
  modelSha256: extractOptions.modelSha256,
  ...sourceOptions,
  ...outputOptions,
} as const;
type EstimateOptions = z.output<z.ZodObject<typeof options>>;

export const estimate = defineCommand({
  name: 'estimate',
  summary: 'Say what the output of each layer takes: shape, dimension, bytes per image and in all',
  positionals: 'MODEL [SOURCE]',
  options,
  async run({ options, positionals }): Promise<number> {
    const [reference, source, ...extra] = positionals;
    if (reference === undefined || extra.length > 0) {
      throw new Refusal('bad-option', `Expected MODEL and at most one SOURCE but received ${positionals.length}`, {
        hint: 'See `npx layertap estimate --help`.',
      });
    }
    const model = await openModel(await resolveModel(reference, { sha256: options.modelSha256 }));
    const { columns, problems } = await columnsOf(model, options);
    const images = await countImages(source, options);
    const bytes = outputBytes(columns, images, options.format);
    const copies = formatsOf(options.format).length;
    const estimates = columns.map(column => ({
      ...column,
      dimension: sizeOfShape(column.shape),
      bytesPerImage: bytesPerRow(column),
      bytes: bytesPerRow(column) * images * copies,
    }));
    if (options.json) {
      const { path, format } = model;
      process.stdout.write(
        `${JSON.stringify({ path, format, images, columns: estimates, notPoolable: problems, bytes })}\n`,
      );
      return 0;
    }
    const rows = estimates.map(({ name, shape, dimension, bytesPerImage, bytes }) => [
      name,
      shape.join(' × '),
      String(dimension),
      formatBytes(bytesPerImage),
      formatBytes(bytes),
    ]);
    const table = formatTable(['column', 'shape', 'dimension', 'per image', `${images} images`], rows);
    const all = `All ${columns.length} columns of ${images} images: about ${formatBytes(bytes)} with ids and hashes, before compression.`;
    process.stdout.write(`${[table, '', ...problems, all].join('\n')}\n`);
    return 0;
  },
});

/** Layers that were not asked for by name and do not fit the pooling are named instead of refused. */
async function columnsOf(
  model: ModelFile,
  options: EstimateOptions,
): Promise<{ readonly columns: readonly FeatureSpec[]; readonly problems: readonly string[] }> {
  const { table } = model;
  const layers =
    options.layer === undefined
      ? table.layers.filter(({ unsupported }) => unsupported === undefined).map(({ name }) => name)
      : selectLayers(table, options.layer);
  const shapes = await model.shapesFor(await inputShapeOf(model, options), layers);
  const problems: string[] = [];
  const columns = layers.flatMap((name, index) => {
    const shape = shapes[index] ?? [];
    const unfit = new Set<Pooling>();
    for (const pooling of poolingsOf(options.pool)) {
      const problem = layerPoolingProblem(table, name, shape, pooling);
      if (problem === undefined) continue;
      if (options.layer !== undefined) throw new Refusal('bad-option', problem.message, { hint: problem.hint });
      problems.push(problem.message);
      unfit.add(pooling);
    }
    return planColumns({ layers: [name], pool: options.pool, dtype: options.dtype }, [shape])
      .filter(({ pooling }) => !unfit.has(pooling))
      .map(({ feature }) => feature);
  });
  return { columns, problems };
}

/** Shapes need the size of the input alone, not the rest of a recipe. */
async function inputShapeOf({ path, table }: ModelFile, options: EstimateOptions): Promise<readonly number[]> {
  const [height, width, channels] = table.inputShape;
  const size = options.size ?? (height == null || width == null ? await findSidecarRecipe(path) : { height, width });
  if (size === undefined) {
    throw new Refusal('recipe-missing', `Expected an input size but '${path}' leaves it open`, {
      hint: 'Give --size WxH, such as --size 224x224.',
    });
  }
  return [size.height, size.width, channels ?? 3];
}

const DEFAULT_IMAGES = 1000;

async function countImages(source: string | undefined, options: EstimateOptions): Promise<number> {
  const { images, limit } = options;
  let count = images ?? (source === undefined ? DEFAULT_IMAGES : 0);
  if (images === undefined && source !== undefined) {
    for await (const _ of (await openSource(source, sourceSettings(options))).samples()) count++;
  }
  return Math.min(count, limit ?? count);
}
