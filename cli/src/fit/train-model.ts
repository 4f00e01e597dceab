// Trains a planned fit: way 4 of taking features, a callback during training, with the sinks of every other run.
import type * as tf from '@tensorflow/tfjs';
import { openTensorFlowEngine } from '../../../extractor/src/engines/tensorflow.ts';
import { loadLayersModel } from '../../../extractor/src/load-layers-model.ts';
import { featureCallback } from '../../../extractor/src/methods/fit-callback.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { fromTensorData } from '../../../extractor/src/tfjs-tensors.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import type { FitOptions, PlannedFit } from './fit-run.ts';
import { prepareSamples } from './prepare-samples.ts';
import { type EpochResult, openSnapshotParts, type WrittenSnapshot } from './snapshot-parts.ts';
import { trainingBatches } from './training-batches.ts';

export interface TrainingEvents {
  readonly onEpoch: (result: EpochResult) => void;
  readonly onSnapshot: (snapshot: WrittenSnapshot) => void;
  readonly onUnreadable: (count: number) => void;
  /** Aborted to end the training after the batch in hand. */
  readonly stopping: AbortSignal;
}

export async function trainModel(
  plan: PlannedFit,
  storage: Storage,
  options: FitOptions,
  events: TrainingEvents,
): Promise<void> {
  const { run, training, recipe } = plan;
  await openTrainingBackend();
  const { rows, input } = await prepareSamples(plan.probe, recipe);
  const parts = openSnapshotParts(storage, run, rows);
  const model = await loadLayersModel(run.request.model, input.shape.slice(1));
  compile(model, options.learningRate);

  const samples = fromTensorData(input);
  const features = featureCallback({
    model,
    layers: run.request.layers,
    samples,
    batch: options.batch,
    ...(options.everyEpochs !== undefined && { everyEpochs: options.everyEpochs }),
    ...(options.everyBatches !== undefined && { everyBatches: options.everyBatches }),
    write: async snapshot => events.onSnapshot(await parts.write(snapshot)),
  });
  const results: tf.CustomCallbackArgs = {
    onBatchEnd: (): void => {
      if (events.stopping.aborted) model.stopTraining = true;
    },
    onEpochEnd: async (index, logs): Promise<void> => {
      // A training that was stopped ends its epoch early: half an epoch's numbers would pass for a whole one's.
      if (events.stopping.aborted) return;
      const result = { epoch: index + 1, loss: Number(logs?.loss), accuracy: Number(logs?.acc) };
      await parts.record(result);
      events.onEpoch(result);
    },
  };
  const batches = trainingBatches({
    samples: training.samples,
    classes: training.classes.length,
    recipe,
    batch: options.batch,
    seed: options.seed,
    onUnreadable: events.onUnreadable,
  });
  try {
    await model.fitDataset(batches, { epochs: options.epochs, verbose: 0, callbacks: [features, results] });
  } finally {
    samples.dispose();
    model.dispose();
  }
}

/** TensorFlow's backend: the wasm one has no gradient of a convolution. */
async function openTrainingBackend(): Promise<void> {
  try {
    await openTensorFlowEngine();
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause;
    throw new Refusal('engine-unavailable', cause.message, {
      hint: 'Training needs TensorFlow: run `npx layertap setup` to prepare it.',
      cause,
    });
  }
}

function compile(model: tf.LayersModel, learningRate: number): void {
  if (model.trainableWeights.length === 0) {
    throw new Refusal('model-unreadable', 'Expected a model with weights to train but all its layers are frozen');
  }
  const { losses, train } = tfjs();
  const fromLogits = (targets: tf.Tensor, scores: tf.Tensor): tf.Tensor => losses.softmaxCrossEntropy(targets, scores);
  model.compile({
    optimizer: train.adam(learningRate),
    loss: endsInSoftmax(model) ? 'categoricalCrossentropy' : fromLogits,
    metrics: ['accuracy'],
  });
}

function endsInSoftmax(model: tf.LayersModel): boolean {
  const last = model.outputs[0]?.sourceLayer;
  return last?.getClassName() === 'Softmax' || last?.getConfig().activation === 'softmax';
}
