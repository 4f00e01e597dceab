// tf.Tensor ⇄ TensorData, and one batch through a model without leaking tensors: for the tfjs engines and the five ways.
import type * as tf from '@tensorflow/tfjs';
import type { TensorData } from '../../shared/src/tensor.ts';
import { joinRows } from './rows.ts';
import { tfjs } from './tfjs.ts';

/** Copies a tensor's values out of the runtime; a type other than float32 is cast, a scalar per sample gets shape [1]. */
export function toTensorData(tensor: tf.Tensor): TensorData {
  const shape = tensor.rank === 1 ? [tensor.size, 1] : tensor.shape;
  if (tensor.dtype === 'float32') return { dtype: 'float32', shape, data: tensor.dataSync<'float32'>() };
  const values = tensor.dataSync();
  if (typeof values[0] === 'string' || tensor.dtype === 'complex64') {
    throw new Error(`Expected a layer output of numbers but received ${tensor.dtype}`);
  }
  return { dtype: 'float32', shape, data: Float32Array.from(values) };
}

/** The values as a tensor that the caller disposes (or a tf.tidy around it). */
export function fromTensorData(data: TensorData): tf.Tensor {
  return tfjs().tensor(data.data, [...data.shape], 'float32');
}

/**
 * Runs one batch in inference mode.
 * @param input shape [rows, …input shape]; stays the caller's
 * @returns the model's outputs, in order
 */
export function runBatch(model: tf.LayersModel, input: tf.Tensor): TensorData[] {
  const engine = tfjs().engine();
  engine.startScope();
  try {
    // Not `predict`: it slices the input into batches of its own and joins the outputs again.
    const outputs = model.apply(input, { training: false }) as tf.Tensor | tf.Tensor[];
    return (Array.isArray(outputs) ? outputs : [outputs]).map(toTensorData);
  } finally {
    engine.endScope();
  }
}

/** Runs any number of rows, `batch` at a time, and joins the outputs. */
export function runInBatches(model: tf.LayersModel, input: tf.Tensor, batch: number): TensorData[] {
  const rows = input.shape[0] ?? 0;
  if (rows <= batch) return runBatch(model, input);
  const parts: TensorData[][] = [];
  for (let start = 0; start < rows; start += batch) {
    const slice = input.slice(start, Math.min(batch, rows - start));
    try {
      parts.push(runBatch(model, slice));
    } finally {
      slice.dispose();
    }
  }
  return (parts[0] ?? []).map((_, output) => joinRows(parts.flatMap(part => part[output] ?? [])));
}
