// ONNX Runtime's sessions: a session on a model cut down to some tensors, and its input. For the onnx engine.
import { dirname } from 'node:path';
import { Refusal } from '../../../shared/src/errors.ts';
import { sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';
import type { EngineOptions } from '../engine.ts';
import { type OnnxFile, withOutputs } from '../models/onnx-file.ts';
import type { OnnxImageInput } from '../models/onnx-input.ts';
import { toChannelsFirst } from '../models/onnx-layout.ts';
import type { InferenceSession, Runtime, Tensor } from './onnx-runtime.ts';
import { feedOf } from './onnx-values.ts';

export interface SessionOptions extends EngineOptions {
  /** Rewrites the graph to run faster. @default true */
  readonly optimise?: false;
}

/**
 * @param tensors names of tensors that nodes give: what a run can ask for
 * @throws Refusal `model-unreadable`
 */
export async function createSession(
  runtime: Runtime,
  file: OnnxFile,
  tensors: readonly string[],
  { threads, optimise }: SessionOptions,
): Promise<InferenceSession> {
  // The model comes as bytes, so the runtime must be told where the files lie that hold its weights; it maps them.
  const settings = settingsOf(threads);
  const { session } = settings.extra;
  const beside = { session: { ...session, model_external_initializers_file_folder_path: dirname(file.path) } };
  return refusing(file.path, () =>
    runtime.InferenceSession.create(withOutputs(file, tensors), {
      ...settings,
      ...(optimise === false && { graphOptimizationLevel: 'disabled' }),
      ...(file.externalFiles.length > 0 && { extra: beside }),
    }),
  );
}

/** A session on a model of which all outputs are wanted. @param path for messages @throws Refusal `model-unreadable` */
export async function createWholeSession(
  runtime: Runtime,
  content: Uint8Array,
  path: string,
  { threads }: EngineOptions,
): Promise<InferenceSession> {
  return refusing(path, () => runtime.InferenceSession.create(content, settingsOf(threads)));
}

function settingsOf(threads: number | undefined) {
  return {
    // What ends the process: errors are thrown anyway, and nobody could act on its warnings.
    logSeverityLevel: 4,
    ...(threads !== undefined && { intraOpNumThreads: threads }),
    // A thread that waits for work would turn on the spot, and take the time from the decoding.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  } as const satisfies InferenceSession.SessionOptions;
}

async function refusing(path: string, create: () => Promise<InferenceSession>): Promise<InferenceSession> {
  try {
    return await create();
  } catch (cause) {
    throw new Refusal('model-unreadable', `Expected a model that ONNX Runtime can load in ${path}`, { cause });
  }
}

/**
 * The binding takes shared memory from Node-API 10 on (Node 22.14, 24), and says "Invalid argument" before.
 */
const TAKES_SHARED_MEMORY = Number(process.versions.napi) >= 10;

/** The values, copied where the binding cannot take them as they lie. */
export function takeable(values: Float32Array): Float32Array {
  return values.buffer instanceof SharedArrayBuffer && !TAKES_SHARED_MEMORY ? values.slice() : values;
}

/** A few images of 224 x 224 x 3. */
const PIECE_BYTES = 1_300_000;

/**
 * How many rows run fastest at a time: what lies between two operators, some ten times the input, then stays in the
 * processor's cache. Two images instead of 32 of 224 x 224: MobileNetV2 takes 0.91 of the time, EfficientNetB0 0.73,
 * ConvNeXtTiny 0.75, ResNet50 the same, and the memory is a fraction. A row's values do not depend on it.
 */
export function bestRows(inputShape: readonly number[]): number {
  return Math.max(1, Math.floor(PIECE_BYTES / (sizeOfShape(inputShape) * Float32Array.BYTES_PER_ELEMENT)));
}

/** The batch as the model's input wants it. @param batch [rows, height, width, channels] */
export function inputTensor(runtime: Runtime, input: OnnxImageInput, batch: TensorData): Tensor {
  const [rows = 0, height = 0, width = 0, channels = 0] = batch.shape;
  const values = input.isNchw ? toChannelsFirst(batch.data, rows, channels, height * width) : takeable(batch.data);
  const dims = input.isNchw ? [rows, channels, height, width] : [rows, height, width, channels];
  const { type, data } = feedOf(values, input.elementType);
  // The constructor's overloads want one literal type each; type and data go together by construction.
  return new runtime.Tensor(type as 'float32', data as Float32Array, dims);
}
