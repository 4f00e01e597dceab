// Way 5, inline: `await features('model.json', 'layer')(images)`. For scripts and notebooks.
import { Refusal } from '../../../shared/src/errors.ts';
import { type Poolings, poolingsOf } from '../../../shared/src/pooling.ts';
import type { Recipe, RecipeInput } from '../../../shared/src/recipe.ts';
import type { EngineName, Normalization } from '../../../shared/src/request.ts';
import { chooseRecipe, completeRecipe } from '../choose-recipe.ts';
import type { Extractor } from '../engine.ts';
import { openModel } from '../model.ts';
import { resolveModel } from '../model-download.ts';
import type { ImageLimits } from '../preprocess.ts';
import { extractImages, openExtractor } from './extract-images.ts';
import type { FeatureResult } from './feature-result.ts';
import { type ImageInput, samplesOf } from './image-input.ts';

export interface FeaturesOptions {
  /**
   * The preprocessing, a preset such as `keras:resnet50`, or the path of a recipe file.
   * @default the sidecar MODEL.recipe.json, the model's own files, the preprocessing in its graph, or the architecture of
   * a Keras ImageNet model; having none of them is refused
   */
  readonly recipe?: Recipe | (Omit<RecipeInput, 'width' | 'height'> & Partial<RecipeInput>) | string;
  /**
   * `onnx` compiles Keras and TensorFlow.js models, once: several times as fast for many images.
   * @default 'auto': TensorFlow where it is ready, else wasm; ONNX Runtime for ONNX models
   */
  readonly engine?: 'auto' | EngineName;
  /** Threads of the engine, where it has a say. @default the engine's own */
  readonly threads?: number;
  /** Images per inference. @default 32 */
  readonly batch?: number;
  /** Of several, each gives a result: `LAYER@mean`, `LAYER@max`; then layers must be a list. @default 'none' */
  readonly pool?: Poolings;
  /** Scales each feature to length 1, after pooling. @default 'none' */
  readonly normalize?: Normalization;
  /** What a broken image does: end it all, naming the image, or become a null row. @default 'throw' */
  readonly onError?: 'throw' | 'null';
  readonly limits?: ImageLimits;
}

/** Gives features; opens model and engine at its first call and keeps them until `close`. */
export interface FeatureFunction<Result> {
  (images: ImageInput | readonly ImageInput[]): Promise<Result>;
  /** Frees the engine's memory. Safe to call twice; a later call opens anew. */
  close(): Promise<void>;
}

type NullRows = FeaturesOptions & { readonly onError: 'null' };
type MaybeNull = FeatureResult<Float32Array | null>;

/**
 * A function from images to the features of one layer, or (for a list of layers) to a record of them by layer name.
 * Layers are written as `selectLayers` takes them.
 *
 * @example
 * const { shape, data } = await features('model.json', 'global_pool')(['cat.jpg', 'dog.png']);
 * @example
 * const extract = features('model.json', ['conv1', 'outputs'], { recipe: { width: 64, height: 64, scale: 1 / 255 } });
 * const { conv1 } = await extract(bytes);
 * await extract.close();
 * @throws Refusal, when the function is called: `model-unreadable`, `unknown-layer`, `recipe-missing`,
 * `recipe-mismatch`, `engine-unavailable`; `source-unreadable` for a broken image
 */
export function features(model: string, layer: string, options: NullRows): FeatureFunction<MaybeNull>;
export function features(model: string, layer: string, options?: FeaturesOptions): FeatureFunction<FeatureResult>;
export function features(
  model: string,
  layers: readonly string[],
  options: NullRows,
): FeatureFunction<Record<string, MaybeNull>>;
export function features(
  model: string,
  layers: readonly string[],
  options?: FeaturesOptions,
): FeatureFunction<Record<string, FeatureResult>>;
export function features(
  model: string,
  layers: string | readonly string[],
  options: FeaturesOptions = {},
): FeatureFunction<MaybeNull | Record<string, MaybeNull>> {
  const {
    batch = 32,
    pool = 'none',
    normalize = 'none',
    onError = 'throw',
    engine = 'auto',
    threads,
    limits,
  } = options;
  if (!Number.isInteger(batch) || batch < 1) {
    throw new Refusal('bad-option', `Expected a whole number of 1 or more for \`batch\` but received ${batch}`);
  }
  if (typeof layers === 'string' && poolingsOf(pool).length > 1) {
    throw new Refusal('bad-option', `Expected one pooling for one layer but received ${poolingsOf(pool).join(', ')}`, {
      hint: `Give a list to have them all: features(model, ['${layers}'], { pool: … }).`,
    });
  }
  const recipe = once(async () => findRecipe(await resolveModel(model), options.recipe));
  let opening: Promise<Extractor> | undefined;

  async function call(given: ImageInput | readonly ImageInput[]): Promise<MaybeNull | Record<string, MaybeNull>> {
    const samples = listOf(given).flatMap((image, index) => samplesOf(image, index, { recipe, limits }));
    opening ??= openExtractor({ model, layers, engine, threads, sampleShape: samples[0]?.shape, recipe, pool });
    const extractor = await opening.catch(error => {
      opening = undefined; // What is missing may be there at the next call.
      throw error;
    });
    const results = await extractImages(extractor, samples, { batch, pool, normalize, onError });
    const [only] = results;
    if (typeof layers === 'string' && only !== undefined) return only;
    return Object.fromEntries(results.map(result => [result.name, result]));
  }

  async function close(): Promise<void> {
    const extractor = await opening?.catch(() => undefined);
    opening = undefined;
    await extractor?.close();
  }

  return Object.assign(call, { close });
}

function listOf(given: ImageInput | readonly ImageInput[]): readonly ImageInput[] {
  return Array.isArray(given) ? given : [given as ImageInput];
}

/** As the command line chooses it; an object stands for itself, but for the size that a model may fix. */
async function findRecipe(path: string, given: FeaturesOptions['recipe']): Promise<Recipe> {
  const model = await openModel(path);
  if (typeof given === 'object') return completeRecipe(given, model);
  return (await chooseRecipe({ recipe: given }, model, 'function')).recipe;
}

/** Works at the first call; a failure is not kept. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= work().catch(error => {
      result = undefined;
      throw error;
    });
    return result;
  };
}
