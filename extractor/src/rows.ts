// The batch axis of tensors: checking, cutting and joining rows. For the engines and the five ways.
import { sizeOfShape, type TensorData } from '../../shared/src/tensor.ts';
import type { InputBatch } from './input-batch.ts';

/** Refuses a batch of another shape: the runtime would say so only deep inside a layer. */
export function requireRows(input: InputBatch, inputShape: readonly number[]): void {
  const fits =
    input.shape.length === inputShape.length + 1 && inputShape.every((axis, i) => axis === input.shape[i + 1]);
  if (fits) return;
  throw new Error(
    `Expected an input of shape [rows, ${inputShape.join(', ')}] but received [${input.shape.join(', ')}]`,
  );
}

/** Joins tensors along the batch axis. */
export function joinRows(parts: readonly TensorData[]): TensorData {
  const first = parts[0];
  if (first === undefined) throw new Error('Expected at least one tensor to join but received none');
  if (parts.length === 1) return first;
  const data = new Float32Array(parts.reduce((size, part) => size + part.data.length, 0));
  let offset = 0;
  for (const part of parts) {
    data.set(part.data, offset);
    offset += part.data.length;
  }
  const rows = parts.reduce((count, part) => count + (part.shape[0] ?? 0), 0);
  return { dtype: 'float32', shape: [rows, ...first.shape.slice(1)], data };
}

/** As many of the rows from `start` on as there are, at most `count`, as a view. */
export function viewRows<Batch extends InputBatch>(batch: Batch, start: number, count: number): Batch {
  const [rows = 0, ...shape] = batch.shape;
  const size = sizeOfShape(shape);
  const end = Math.min(rows, start + count);
  return { ...batch, shape: [end - start, ...shape], data: batch.data.subarray(start * size, end * size) };
}

/** Rows from `start` on, as a view; with fewer than `count` left they are padded with zeros, which copies. */
export function cutRows(tensor: TensorData, start: number, count: number): TensorData {
  const view = viewRows(tensor, start, count);
  const [rows = 0, ...shape] = view.shape;
  if (rows === count) return view;
  const data = new Float32Array(count * sizeOfShape(shape));
  data.set(view.data);
  return { dtype: 'float32', shape: [count, ...shape], data };
}

export function zeroRows(shape: readonly number[]): TensorData {
  return { dtype: 'float32', shape, data: new Float32Array(sizeOfShape(shape)) };
}

/** Runs a batch at most `size` rows at a time, the last piece being what is left, and joins each output's rows. */
export async function runInPieces<Batch extends InputBatch>(
  batch: Batch,
  size: number,
  run: (piece: Batch) => Promise<readonly TensorData[]>,
): Promise<readonly TensorData[]> {
  const rows = batch.shape[0] ?? 0;
  if (rows <= size) return run(batch);
  const pieces: (readonly TensorData[])[] = [];
  for (let start = 0; start < rows; start += size) {
    pieces.push(await run(viewRows(batch, start, size)));
  }
  return (pieces[0] ?? []).map((_, output) => joinRows(pieces.flatMap(piece => piece[output] ?? [])));
}
