// Way 4: a callback that takes layer outputs while a model trains, every N epochs or batches. It writes no files itself.
import type * as tf from '@tensorflow/tfjs';
import type { FeatureSpec, TensorData } from '../../../shared/src/tensor.ts';
import { runInBatches } from '../tfjs-tensors.ts';
import { extractSubModel } from './sub-model.ts';

/** The features of all probe samples at one moment of the training. */
export interface FeatureSnapshot {
  /** The epoch it was taken in, counted from 1; 0 before training. */
  readonly epoch: number;
  /** Batches trained so far, over all epochs. */
  readonly step: number;
  /** One entry per layer: its name and shape, and its values [samples, …shape]. */
  readonly features: readonly { readonly spec: FeatureSpec; readonly tensor: TensorData }[];
}

export interface FeatureCallbackOptions {
  /** The model that is being trained. */
  readonly model: tf.LayersModel;
  readonly layers: readonly string[];
  /** Probe samples as the model takes them, shape [samples, …input shape]. Stays the caller's. */
  readonly samples: tf.Tensor;
  /** Samples per inference. @default 32 */
  readonly batch?: number;
  /** A snapshot at the end of every N-th epoch. @default 1 where everyBatches isn't given, else none */
  readonly everyEpochs?: number;
  /** A snapshot after every N batches, counted over all epochs. @default none */
  readonly everyBatches?: number;
  /** A snapshot before the first batch, as epoch 0. @default false */
  readonly beforeTraining?: boolean;
  /** Takes one snapshot; training waits until it resolves, so at most one snapshot is in memory. */
  write(snapshot: FeatureSnapshot): Promise<void>;
}

/**
 * A callback for `model.fit`. Layers run in inference mode on the weights of that moment; a moment that is due
 * both by batch and by epoch is written once.
 *
 * @example
 * await model.fit(x, y, {
 *   epochs: 5,
 *   callbacks: featureCallback({ model, layers: ['dense'], samples, write: async s => console.log(s.epoch, s.step) }),
 * });
 * @throws Refusal `unknown-layer`; whatever `write` throws ends the training
 */
export function featureCallback(options: FeatureCallbackOptions): tf.CustomCallbackArgs {
  const { model, layers, samples, everyBatches } = options;
  const batch = positive('batch', options.batch ?? 32);
  const everyEpochs = options.everyEpochs ?? (everyBatches === undefined ? 1 : undefined);
  if (everyEpochs !== undefined) positive('everyEpochs', everyEpochs);
  if (everyBatches !== undefined) positive('everyBatches', everyBatches);
  const subModel = extractSubModel(model, layers);
  let epoch = 0;
  let step = 0;
  let writtenStep = -1;

  const snapshot = async (): Promise<void> => {
    if (writtenStep === step) return;
    writtenStep = step;
    const tensors = runInBatches(subModel, samples, batch);
    const features = layers.map((name, index) => {
      const tensor = tensors[index];
      if (tensor === undefined) throw new Error(`Expected an output for layer '${name}' but the model gave none`);
      return { spec: { name, dtype: 'float32', shape: tensor.shape.slice(1) } as const, tensor };
    });
    await options.write({ epoch, step, features });
  };

  return {
    onTrainBegin: async (): Promise<void> => {
      epoch = 0;
      step = 0;
      writtenStep = -1;
      if (options.beforeTraining === true) await snapshot();
    },
    onEpochBegin: (index): void => {
      epoch = index + 1;
    },
    onBatchEnd: async (): Promise<void> => {
      step += 1;
      if (everyBatches !== undefined && step % everyBatches === 0) await snapshot();
    },
    onEpochEnd: async (index): Promise<void> => {
      if (everyEpochs !== undefined && (index + 1) % everyEpochs === 0) await snapshot();
    },
  };
}

function positive(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new RangeError(`Expected a whole number of 1 or more for \`${name}\` but received ${value}`);
}
