// Operations that move values without changing them: reshaping, transposing, joining, splitting, padding, repeating.
import type { Filled } from '../call-values.ts';
import { fromStart, type Shape } from '../layer-definition.ts';
import { concatenated } from '../merging.ts';
import { broadcastShapes, paddedShape, reshapedShape } from '../shapes.ts';
import { repeat } from '../spatial.ts';
import type { Operation, Operations, OperationValues } from './operation.ts';
import { shapeOfSlice, takeSlice } from './slicing.ts';

type Values<T extends { readonly shape: Shape }> = OperationValues<T>;

const reshape: Operation = {
  parameters: ['x', 'newshape'],
  shapes: values => [reshapedShape(values.tensor('x').shape, values.sizes('newshape') ?? [])],
  compute: (_, values) => values.tensor('x').reshape((values.sizes('newshape') ?? []).map(size => size ?? -1)),
};

const transpose: Operation = {
  parameters: ['x', 'axes'],
  shapes: values => {
    const { shape } = values.tensor('x');
    return [transposeAxes(values, shape.length).map(axis => shape[axis] ?? null)];
  },
  compute: (tf, values) => tf.transpose(values.tensor('x'), [...transposeAxes(values, values.tensor('x').rank)]),
};

const expandDims: Operation = {
  parameters: ['x', 'axis'],
  shapes: values => [withOnes(values.tensor('x').shape, values.axes('axis') ?? [0])],
  compute: (_, values) => {
    const x = values.tensor('x');
    return x.reshape(withOnes(x.shape, values.axes('axis') ?? [0]).map(size => size ?? 1));
  },
};

const squeeze: Operation = {
  parameters: ['x', 'axis'],
  shapes: values => [withoutOnes(values.tensor('x').shape, values.axes('axis'))],
  compute: (_, values) => {
    const x = values.tensor('x');
    return x.reshape(withoutOnes(x.shape, values.axes('axis')).map(size => size ?? 1));
  },
};

const concatenate: Operation = {
  parameters: ['xs', 'axis'],
  shapes: values => [
    concatenated(
      values.tensors('xs').map(tensor => tensor.shape),
      values.number('axis', 0),
    ),
  ],
  compute: (tf, values) => tf.concat([...values.tensors('xs')], values.number('axis', 0)),
};

const stack: Operation = {
  parameters: ['x', 'axis'],
  shapes: values => {
    const tensors = values.tensors('x');
    const shape = tensors.map(tensor => tensor.shape).reduce(broadcastShapes);
    const axis = fromStart(values.number('axis', 0), shape.length + 1);
    return [[...shape.slice(0, axis), tensors.length, ...shape.slice(axis)]];
  },
  compute: (tf, values) => {
    const tensors = values.tensors('x');
    return tf.stack([...tensors], fromStart(values.number('axis', 0), (tensors[0]?.rank ?? 0) + 1));
  },
};

const unstack: Operation = {
  parameters: ['x', 'num', 'axis'],
  shapes: values => {
    const { shape } = values.tensor('x');
    const axis = fromStart(values.number('axis', 0), shape.length);
    const count = shape[axis] ?? values.number('num', 1);
    return Array.from({ length: count }, () => shape.filter((_, index) => index !== axis));
  },
  compute: (tf, values) => {
    const x = values.tensor('x');
    return tf.unstack(x, fromStart(values.number('axis', 0), x.rank));
  },
};

const split: Operation = {
  parameters: ['x', 'indices_or_sections', 'axis'],
  shapes: values => {
    const { shape } = values.tensor('x');
    const axis = fromStart(values.number('axis', 0), shape.length);
    return splitSizes(values, shape[axis] ?? 0).map(size =>
      shape.map((known, index) => (index === axis ? size : known)),
    );
  },
  compute: (tf, values) => {
    const x = values.tensor('x');
    const axis = fromStart(values.number('axis', 0), x.rank);
    return tf.split(x, [...splitSizes(values, x.shape[axis] ?? 0)], axis);
  },
};

const tile: Operation = {
  parameters: ['x', 'repeats'],
  shapes: values => {
    const { shape, times } = tileTimes(values);
    return [shape.map((size, axis) => (size === null ? null : size * (times[axis] ?? 1)))];
  },
  compute: (tf, values) => {
    const { shape, times } = tileTimes(values);
    return tf.tile(values.tensor('x').reshape(shape.map(size => size ?? 1)), [...times]);
  },
};

const repetition: Operation = {
  parameters: ['x', 'repeats', 'axis'],
  shapes: values => {
    const { shape } = values.tensor('x');
    const axis = fromStart(values.number('axis', 0), shape.length);
    return [shape.map((size, index) => (index === axis && size !== null ? size * values.number('repeats', 1) : size))];
  },
  compute: (tf, values) => {
    const x = values.tensor('x');
    return repeat(tf, x, values.number('repeats', 1), fromStart(values.number('axis', 0), x.rank));
  },
};

const pad: Operation = {
  parameters: ['x', 'pad_width', 'mode', 'constant_values'],
  shapes: values => [paddedShape(values.tensor('x').shape, padWidths(values))],
  compute: (tf, values) => {
    const widths = padWidths(values).map(([before, after]): [number, number] => [before, after]);
    const mode = values.text('mode', 'constant').toLowerCase();
    if (mode === 'constant') return tf.pad(values.tensor('x'), widths, values.number('constant_values', 0));
    if (mode !== 'reflect' && mode !== 'symmetric')
      throw new Error(`Expected a known way of padding but received ${mode}`);
    return tf.mirrorPad(values.tensor('x'), widths, mode);
  },
};

const flip: Operation = {
  parameters: ['x', 'axis'],
  shapes: values => [values.tensor('x').shape],
  compute: (tf, values) =>
    tf.reverse(values.tensor('x'), values.has('axis') ? [...(values.axes('axis') ?? [])] : undefined),
};

const broadcastTo: Operation = {
  parameters: ['x', 'shape'],
  shapes: values => [broadcastShapes(values.sizes('shape') ?? [], values.tensor('x').shape)],
  compute: (tf, values) =>
    tf.broadcastTo(
      values.tensor('x'),
      (values.sizes('shape') ?? []).map(size => size ?? 1),
    ),
};

const take: Operation = {
  parameters: ['x', 'indices', 'axis'],
  shapes: values => {
    const { shape } = values.tensor('x');
    const axis = fromStart(values.number('axis', 0), shape.length);
    return [[...shape.slice(0, axis), ...values.tensor('indices').shape, ...shape.slice(axis + 1)]];
  },
  compute: (tf, values) => {
    const x = values.tensor('x');
    return tf.gather(x, tf.cast(values.tensor('indices'), 'int32'), fromStart(values.number('axis', 0), x.rank));
  },
};

export const ARRANGEMENT_OPERATIONS: Operations = {
  Reshape: reshape,
  Transpose: transpose,
  Swapaxes: { ...transpose, parameters: ['x', 'axis1', 'axis2'] },
  Moveaxis: { ...transpose, parameters: ['x', 'source', 'destination'] },
  ExpandDims: expandDims,
  Squeeze: squeeze,
  Concatenate: concatenate,
  Stack: stack,
  Unstack: unstack,
  Split: split,
  Tile: tile,
  Repeat: repetition,
  Pad: pad,
  Flip: flip,
  BroadcastTo: broadcastTo,
  Take: take,
  Ravel: {
    parameters: ['x'],
    shapes: values => [reshapedShape(values.tensor('x').shape, [-1])],
    compute: (_, values) => values.tensor('x').flatten(),
  },
  GetItem: {
    parameters: ['x', 'key'],
    shapes: values => [shapeOfSlice(values.tensor('x').shape, values.raw('key') as Filled<never>)],
    compute: (tf, values) => takeSlice(tf, values.tensor('x'), values.raw('key') as Filled<never>),
  },
  // TensorFlow's shape of a tensor, as whole numbers.
  Shape: {
    parameters: ['x'],
    shapes: values => [[values.tensor('x').shape.length]],
    compute: (tf, values) => tf.tensor1d(values.tensor('x').shape, 'int32'),
  },
};

/** Swapaxes and Moveaxis are transpositions that name only the axes that move. */
function transposeAxes<T extends { readonly shape: Shape }>(values: Values<T>, rank: number): readonly number[] {
  const order = Array.from({ length: rank }, (_, axis) => axis);
  const at = (name: string): number => fromStart(values.number(name, 0), rank);
  if (values.has('axis1')) {
    const [first, second] = [at('axis1'), at('axis2')];
    return order.map(axis => (axis === first ? second : axis === second ? first : axis));
  }
  if (values.has('source')) {
    const from = (values.axes('source') ?? []).map(axis => fromStart(axis, rank));
    const to = (values.axes('destination') ?? []).map(axis => fromStart(axis, rank));
    const rest = order.filter(axis => !from.includes(axis));
    const moved = new Map(to.map((axis, index) => [axis, from[index] ?? 0]));
    return order.map(axis => moved.get(axis) ?? rest.shift() ?? axis);
  }
  return values.axes('axes')?.map(axis => fromStart(axis, rank)) ?? order.reverse();
}

function withOnes(shape: Shape, axes: readonly number[]): Shape {
  const rank = shape.length + axes.length;
  const places = axes.map(axis => fromStart(axis, rank));
  const rest = [...shape];
  return Array.from({ length: rank }, (_, axis) => (places.includes(axis) ? 1 : (rest.shift() ?? null)));
}

function withoutOnes(shape: Shape, axes: readonly number[] | undefined): Shape {
  const places = axes?.map(axis => fromStart(axis, shape.length));
  return shape.filter((size, axis) => (places === undefined ? size !== 1 : !places.includes(axis)));
}

/** NumPy counts sections or names the places to cut; TensorFlow's sizes come as `sizes`. */
function splitSizes<T extends { readonly shape: Shape }>(values: Values<T>, length: number): readonly number[] {
  const sizes = values.axes('sizes');
  if (sizes !== undefined)
    return sizes.map(size => (size === -1 ? length - sizes.reduce((sum, other) => sum + other, 1) : size));
  const sections = values.axes('indices_or_sections') ?? [1];
  if (!Array.isArray(values.raw('indices_or_sections'))) {
    const [count = 1] = sections;
    return Array.from({ length: count }, () => length / count);
  }
  return [...sections, length].map((end, index) => end - (sections[index - 1] ?? 0));
}

function tileTimes<T extends { readonly shape: Shape }>(values: Values<T>): { shape: Shape; times: readonly number[] } {
  const { shape } = values.tensor('x');
  const given = values.axes('repeats') ?? [1];
  const rank = Math.max(shape.length, given.length);
  const ones = (count: number): number[] => Array.from({ length: count }, () => 1);
  return { shape: [...ones(rank - shape.length), ...shape], times: [...ones(rank - given.length), ...given] };
}

/** One number for all axes, a pair for all axes, or a pair for each. */
function padWidths<T extends { readonly shape: Shape }>(values: Values<T>): readonly (readonly [number, number])[] {
  const rank = values.tensor('x').shape.length;
  const given = values.raw('pad_width');
  if (Array.isArray(given) && Array.isArray(given[0])) {
    const pairs = (given as readonly (readonly number[])[]).map(
      ([before = 0, after = before]) => [before, after] as const,
    );
    return pairs.length === 1 ? Array.from({ length: rank }, () => pairs[0] ?? [0, 0]) : pairs;
  }
  const [before = 0, after = before] = values.axes('pad_width') ?? [];
  return Array.from({ length: rank }, () => [before, after]);
}
