// What the inline way takes as an image, and how each kind becomes one sample of input values.
import { readFile } from 'node:fs/promises';
import type * as tf from '@tensorflow/tfjs';
import { describeError, hasErrorCode, Refusal, type SampleFailure } from '../../../shared/src/errors.ts';
import type { Recipe } from '../../../shared/src/recipe.ts';
import { sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';
import type { RawPixels } from '../preprocess/prepare-image.ts';
import { DEFAULT_IMAGE_LIMITS, type ImageLimits, type PrepareResult } from '../preprocess.ts';
import { toTensorData } from '../tfjs-tensors.ts';

/**
 * A path; the bytes of an encoded image (JPEG, PNG, …); decoded 8-bit pixels; or values that are preprocessed already,
 * as tf.Tensor or TensorData: one sample [height, width, channels] or a batch [rows, height, width, channels].
 */
export type ImageInput = string | Uint8Array | RawPixels | tf.Tensor | TensorData;

/** One sample on its way to the engine. */
export interface InputSample {
  /** Position of its image in what the caller gave. */
  readonly index: number;
  /** Shape of the values, where they came as a tensor. */
  readonly shape?: readonly number[];
  prepare(): Promise<PreparedSample>;
}

export type PreparedSample =
  | { readonly ok: true; readonly values: Float32Array }
  | { readonly ok: false; readonly failure: SampleFailure };

export interface PrepareOptions {
  /** Asked for only when an image needs it. */
  readonly recipe: () => Promise<Recipe>;
  readonly limits: ImageLimits | undefined;
}

/** The samples that one image gives: one, or as many as its tensor has rows. */
export function samplesOf(image: ImageInput, index: number, options: PrepareOptions): readonly InputSample[] {
  const limits = options.limits ?? DEFAULT_IMAGE_LIMITS;
  if (typeof image === 'string') {
    return [{ index, prepare: async () => preparePath(image, await options.recipe(), limits) }];
  }
  if (image instanceof Uint8Array) {
    return [{ index, prepare: async () => prepareBytes(image, await options.recipe(), limits) }];
  }
  if ('dataSync' in image) return samplesOfTensor(copyTensor(image), index);
  if ('dtype' in image) return samplesOfTensor(image, index);
  if ('width' in image) return [{ index, prepare: async () => preparePixels(image, await options.recipe()) }];
  throw new Refusal('bad-option', `Expected an image at index ${index} but received ${typeof image}`, {
    hint: 'Images are paths, encoded bytes, { data, width, height, channels }, tf tensors or TensorData.',
  });
}

async function preparePath(path: string, recipe: Recipe, limits: ImageLimits): Promise<PreparedSample> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const code = hasErrorCode(error, 'ENOENT') ? 'not-found' : 'unreadable';
    return { ok: false, failure: { code, message: describeError(error) } };
  }
  return prepareBytes(bytes, recipe, limits);
}

async function prepareBytes(bytes: Uint8Array, recipe: Recipe, limits: ImageLimits): Promise<PreparedSample> {
  // Loaded here: the decoder is native, and `import 'layertap'` alone should not need it.
  const { prepareImage } = await import('../preprocess/prepare-image.ts');
  return valuesOf(await prepareImage(bytes, recipe, { limits }));
}

async function preparePixels(pixels: RawPixels, recipe: Recipe): Promise<PreparedSample> {
  const { prepareRaw } = await import('../preprocess/prepare-image.ts');
  return valuesOf(prepareRaw(pixels, recipe));
}

function valuesOf(result: PrepareResult): PreparedSample {
  return result.ok ? { ok: true, values: result.image.values } : result;
}

/** A vector is a sample of shape [1] each to the engines' reader of outputs, but never an image. */
function copyTensor(tensor: tf.Tensor): TensorData {
  return { ...toTensorData(tensor), shape: tensor.shape };
}

function samplesOfTensor(tensor: TensorData, index: number): readonly InputSample[] {
  if (tensor.shape.length !== 3 && tensor.shape.length !== 4) {
    throw new Refusal(
      'bad-option',
      `Expected a tensor of shape [rows, height, width, channels] at index ${index} but received [${tensor.shape.join(', ')}]`,
    );
  }
  const shape = tensor.shape.slice(-3);
  const rows = tensor.shape.length === 4 ? (tensor.shape[0] ?? 0) : 1;
  const size = sizeOfShape(shape);
  return Array.from({ length: rows }, (_, row) => {
    const values = tensor.data.subarray(row * size, (row + 1) * size);
    return { index, shape, prepare: async () => ({ ok: true, values }) as const };
  });
}
