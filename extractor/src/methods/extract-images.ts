// The inside of the inline way: opens model and engine once, then takes images batch by batch through them.
import { Refusal } from '../../../shared/src/errors.ts';
import type { Poolings } from '../../../shared/src/pooling.ts';
import type { Recipe } from '../../../shared/src/recipe.ts';
import { shapeOfRecipe } from '../../../shared/src/recipe-shape.ts';
import type { EngineName, Normalization } from '../../../shared/src/request.ts';
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import { columnValues, planColumns } from '../columns.ts';
import { type Extractor, openEngine } from '../engine.ts';
import { chooseEngine } from '../engine-choice.ts';
import { openModel } from '../model.ts';
import { resolveModel } from '../model-download.ts';
import { requirePoolable } from '../poolable.ts';
import { selectLayers } from '../select.ts';
import { createCollector, type FeatureResult, type ImageFailure } from './feature-result.ts';
import type { InputSample, PreparedSample } from './image-input.ts';

export interface OpenExtractorOptions {
  readonly model: string;
  /** A string must take exactly one layer. */
  readonly layers: string | readonly string[];
  readonly engine: 'auto' | EngineName;
  readonly threads: number | undefined;
  /** Shape of the first sample where it is a tensor; else the recipe gives it. */
  readonly sampleShape: readonly number[] | undefined;
  readonly recipe: () => Promise<Recipe>;
  readonly pool: Poolings;
}

export async function openExtractor(options: OpenExtractorOptions): Promise<Extractor> {
  const model = await openModel(await resolveModel(options.model));
  const layers = selectLayers(model.table, typeof options.layers === 'string' ? [options.layers] : options.layers);
  if (typeof options.layers === 'string' && layers.length !== 1) {
    throw new Refusal('unknown-layer', `Expected one layer but '${options.layers}' takes ${layers.length}`, {
      hint: `Give a list to take them all: features(model, ['${options.layers}']).`,
    });
  }
  const { engine } = await chooseEngine(options.engine, model);
  const inputShape = options.sampleShape ?? shapeOfRecipe(await options.recipe());
  // Refuses a shape that the model can't take before an engine is loaded.
  requirePoolable(model.table, layers, await model.shapesFor(inputShape, layers), options.pool);
  const opened = await openEngine(engine, { threads: options.threads });
  return opened.load({ model: model.path, layers, inputShape });
}

export interface ExtractImagesOptions {
  readonly batch: number;
  readonly pool: Poolings;
  readonly normalize: Normalization;
  readonly onError: 'throw' | 'null';
}

/** One result per column: an output of the extractor, or each of its poolings. The next batch is prepared while one runs; no more than that. */
export async function extractImages(
  extractor: Extractor,
  samples: readonly InputSample[],
  options: ExtractImagesOptions,
): Promise<FeatureResult<Float32Array | null>[]> {
  const layers = extractor.outputs.map(({ name }) => name);
  const columns = planColumns(
    { layers, pool: options.pool, normalize: options.normalize, dtype: 'float32' },
    extractor.outputs.map(({ shape }) => shape),
  );
  const collectors = columns.map(({ feature }) => createCollector(feature, samples.length));
  const failures: ImageFailure[] = [];
  let next = prepareBatch(samples.slice(0, options.batch));
  for (let start = 0; start < samples.length; start += options.batch) {
    const prepared = await next;
    next = prepareBatch(samples.slice(start + options.batch, start + 2 * options.batch));
    // A rejection is met by the next `await`, if this batch doesn't throw first.
    next.catch(() => undefined);
    const rows = keepWhole(samples.slice(start, start + options.batch), prepared, options.onError, failures);
    if (rows.length === 0) continue;
    const features = await extractor.run(packRows(rows, extractor.inputShape), outputs =>
      columns.map(column => columnValues(column, outputs)),
    );
    features.forEach(({ data }, index) => {
      const size = data.length / rows.length;
      rows.forEach(({ row }, position) => {
        collectors[index]?.put(start + row, data.subarray(position * size, (position + 1) * size));
      });
    });
  }
  return collectors.map(collector => collector.finish(failures));
}

interface WholeRow {
  /** Position in the batch. */
  readonly row: number;
  readonly sample: InputSample;
  readonly values: Float32Array;
}

function prepareBatch(samples: readonly InputSample[]): Promise<PreparedSample[]> {
  return Promise.all(samples.map(sample => sample.prepare()));
}

/** The rows that have values; the others become failures, or end it all. */
function keepWhole(
  samples: readonly InputSample[],
  prepared: readonly PreparedSample[],
  onError: 'throw' | 'null',
  failures: ImageFailure[],
): WholeRow[] {
  return samples.flatMap((sample, row) => {
    const result = prepared[row];
    if (result === undefined) return [];
    if (result.ok) return [{ row, sample, values: result.values }];
    const { code, message } = result.failure;
    if (onError === 'throw') {
      throw new Refusal(
        'source-unreadable',
        `Expected an image at index ${sample.index} but received ${code}: ${message}`,
        {
          hint: "With { onError: 'null' } a broken image becomes a null row.",
        },
      );
    }
    failures.push({ index: sample.index, code, message });
    return [];
  });
}

function packRows(rows: readonly WholeRow[], inputShape: readonly number[]): Parameters<Extractor['run']>[0] {
  const size = sizeOfShape(inputShape);
  const data = new Float32Array(rows.length * size);
  rows.forEach(({ sample, values }, position) => {
    const fits = sample.shape === undefined || String(sample.shape) === String(inputShape);
    if (!fits || values.length !== size) {
      throw new Refusal(
        'recipe-mismatch',
        `Expected a sample of shape [${inputShape.join(', ')}] at index ${sample.index} but received ${sample.shape === undefined ? `${values.length} values` : `[${sample.shape.join(', ')}]`}`,
      );
    }
    data.set(values, position * size);
  });
  return { dtype: 'float32', shape: [rows.length, ...inputShape], data };
}
