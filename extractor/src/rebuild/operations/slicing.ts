// Python's indexing of a tensor (x[:, ::2, 0, None, ...]) as slices and gathers. For GetItem and SlicingOpLambda.
import type * as tf from '@tensorflow/tfjs';
import type { Tfjs } from '../../tfjs.ts';
import type { Filled } from '../call-values.ts';
import type { Shape } from '../layer-definition.ts';

type Key = Filled<never>;

/** What one entry of a key does: takes one position, takes a range, or adds an axis. */
type Step =
  | { readonly kind: 'index'; readonly at: number }
  | { readonly kind: 'range'; readonly start: number | null; readonly stop: number | null; readonly step: number }
  | { readonly kind: 'new' };

export function shapeOfSlice(shape: Shape, key: Key): Shape {
  let axis = 0;
  return stepsOf(key, shape.length).flatMap((step): Shape => {
    if (step.kind === 'new') return [1];
    const size = shape[axis++] ?? null;
    if (step.kind === 'index') return [];
    if (size !== null) return [positions(step, size).length];
    const { start, stop, step: stride } = step;
    // In an axis of open size only what counts from one end is known.
    if (stop !== null && stop >= 0 && (start ?? 0) >= 0 && stride > 0)
      return [Math.ceil((stop - (start ?? 0)) / stride)];
    return [null];
  });
}

export function takeSlice(tf: Tfjs, x: tf.Tensor, key: Key): tf.Tensor {
  const steps = stepsOf(key, x.rank);
  const begin: number[] = [];
  const size: number[] = [];
  /** Ranges with a stride, which a slice cannot take. */
  const strided: { readonly axis: number; readonly indices: readonly number[] }[] = [];
  for (const step of steps) {
    if (step.kind === 'new') continue;
    const axis = begin.length;
    const length = x.shape[axis] ?? 0;
    if (step.kind === 'index') {
      begin.push(step.at < 0 ? step.at + length : step.at);
      size.push(1);
      continue;
    }
    const indices = positions(step, length);
    const contiguous = step.step === 1;
    if (!contiguous) strided.push({ axis, indices });
    begin.push(contiguous ? (indices[0] ?? 0) : 0);
    size.push(contiguous ? indices.length : length);
  }
  const whole = size.every((length, axis) => length === x.shape[axis]);
  const cut = whole ? x : tf.slice(x, begin, size);
  const taken = strided.reduce((y, { axis, indices }) => tf.gather(y, tf.tensor1d([...indices], 'int32'), axis), cut);
  return taken.reshape(shapeOfSlice(x.shape, key).map(axis => axis ?? -1));
}

/** One step for each axis of the input, and the added ones among them. */
function stepsOf(key: Key, rank: number): readonly Step[] {
  const entries = Array.isArray(key) ? (key as readonly Key[]) : [key];
  const used = entries.filter(entry => !isEllipsis(entry) && entry !== null).length;
  const rest = (): Step[] =>
    Array.from({ length: rank - used }, () => ({ kind: 'range', start: null, stop: null, step: 1 }));
  const steps = entries.flatMap((entry): readonly Step[] => {
    if (entry === null) return [{ kind: 'new' }];
    if (isEllipsis(entry)) return rest();
    if (typeof entry === 'number') return [{ kind: 'index', at: entry }];
    const { start, stop, step } = entry as { readonly start?: Key; readonly stop?: Key; readonly step?: Key };
    return [{ kind: 'range', start: bound(start), stop: bound(stop), step: bound(step) ?? 1 }];
  });
  return entries.some(isEllipsis) ? steps : [...steps, ...rest()];
}

function isEllipsis(entry: Key): boolean {
  return entry === '...' || entry === 'Ellipsis';
}

function bound(value: Key | undefined): number | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') return value;
  throw new Error('Expected a slice between fixed positions');
}

/** As Python's range(*slice.indices(length)). */
function positions({ start, stop, step }: Extract<Step, { kind: 'range' }>, length: number): readonly number[] {
  const clamp = (at: number, low: number, high: number): number =>
    Math.min(Math.max(at < 0 ? at + length : at, low), high);
  const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
  const first = start === null ? (step > 0 ? low : high) : clamp(start, low, high);
  const end = stop === null ? (step > 0 ? high : low) : clamp(stop, low, high);
  const found: number[] = [];
  for (let at = first; step > 0 ? at < end : at > end; at += step) found.push(at);
  return found;
}
