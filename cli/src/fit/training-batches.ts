// The training set as a stream of batches: decoded anew each epoch, so that memory holds a few batches whatever its size.
import type * as tf from '@tensorflow/tfjs';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { fromTensorData } from '../../../extractor/src/tfjs-tensors.ts';
import type { Recipe } from '../../../shared/src/recipe.ts';
import { sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';
import type { LabelledSample } from './labelled-samples.ts';
import { prepareSamples } from './prepare-samples.ts';

export interface TrainingBatchesOptions {
  readonly samples: readonly LabelledSample[];
  readonly classes: number;
  readonly recipe: Recipe;
  readonly batch: number;
  /** Decides the order of the samples in each epoch. */
  readonly seed: number;
  /** Called in the first epoch with the images of a batch that could not be read. */
  readonly onUnreadable: (count: number) => void;
}

/** Batches decoded while the native library trains on an earlier one. */
const BATCHES_AHEAD = 2;

/** Each pass over it is one epoch, in an order of its own. Broken images are left out of their batch. */
export function trainingBatches(options: TrainingBatchesOptions): tf.data.Dataset<tf.TensorContainer> {
  let epoch = 0;
  // Counted when the first batch is asked for: fitDataset opens one iterator more than it reads.
  const stream = async function* (): AsyncGenerator<tf.TensorContainer> {
    epoch++;
    yield* streamBatches(options, epoch);
  };
  return tfjs().data.generator(stream).prefetch(BATCHES_AHEAD);
}

async function* streamBatches(options: TrainingBatchesOptions, epoch: number): AsyncGenerator<tf.TensorContainer> {
  const order = shuffledOrder(options.samples.length, `${options.seed}-${epoch}`);
  for (let start = 0; start < order.length; start += options.batch) {
    const picked = Array.from(order.subarray(start, start + options.batch)).flatMap(at => options.samples[at] ?? []);
    const { rows, input } = await prepareSamples(
      picked.map(({ sample }) => sample),
      options.recipe,
    );
    const readable = rows.flatMap(({ failure }, slot) => (failure === undefined ? [slot] : []));
    if (epoch === 1 && readable.length < rows.length) options.onUnreadable(rows.length - readable.length);
    if (readable.length === 0) continue;
    const targets = readable.map(slot => picked[slot]?.target ?? 0);
    yield { xs: fromTensorData(rowsOf(input, readable)), ys: oneHot(targets, options.classes) };
  }
}

function rowsOf(input: TensorData, slots: readonly number[]): TensorData {
  const shape = input.shape.slice(1);
  const size = sizeOfShape(shape);
  if (slots.length === input.shape[0]) return input;
  const data = new Float32Array(slots.length * size);
  slots.forEach((slot, row) => {
    data.set(input.data.subarray(slot * size, (slot + 1) * size), row * size);
  });
  return { dtype: 'float32', shape: [slots.length, ...shape], data };
}

function oneHot(targets: readonly number[], classes: number): tf.Tensor {
  const data = new Float32Array(targets.length * classes);
  targets.forEach((target, row) => {
    data[row * classes + target] = 1;
  });
  return fromTensorData({ dtype: 'float32', shape: [targets.length, classes], data });
}

/** Fisher and Yates' shuffle, by TensorFlow.js' own seeded generator. */
function shuffledOrder(count: number, seed: string): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  if (count < 2) return order;
  const draws = tfjs().tidy(() => tfjs().randomUniform([count], 0, 1, 'float32', seed).dataSync());
  for (let last = count - 1; last > 0; last--) {
    const other = Math.min(last, Math.floor((draws[last] ?? 0) * (last + 1)));
    [order[last], order[other]] = [order[other] ?? 0, order[last] ?? 0];
  }
  return order;
}
