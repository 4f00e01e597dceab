// Kernels that move elements or choose among them: reshaping, slicing, joining, padding.
import { tfjs } from '../tfjs.ts';
import { numberAttribute, numbersAttribute, pairsAttribute } from './attributes.ts';
import { CannotCompile } from './cannot-compile.ts';
import type { Axis, KernelCall } from './kernel-graph.ts';
import { axisIn, type Layout, type LowerCall, type Lowering, lengthsOf, permuted } from './lowering.ts';
import { combine, inputOf, listOf, outputOf } from './operands.ts';

const fixed = (size: number): Axis => ({ size, perRow: false });
/** What ONNX takes for "to the end, backwards". */
const BEFORE_START = -(2 ** 31);

const reshape =
  (input: string): LowerCall =>
  (call, to) =>
    to.giveReshaped(outputOf(call), inputOf(call, input));

const transpose: LowerCall = (call, to) => {
  const perm = numbersAttribute(call.attributes, 'perm');
  to.give(outputOf(call), to.writer.node('Transpose', [to.take(inputOf(call, 'x'))], { perm }));
};

const concatenate: LowerCall = (call, to) => {
  const axis = numberAttribute(call.attributes, 'axis');
  const rank = to.rankOf(outputOf(call));
  combine(call, to, listOf(call), (tensors, layout) =>
    to.writer.node('Concat', tensors, { axis: axisIn(axis, rank, layout) }),
  );
};

interface Cut {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** Slices in the layout that the value has. */
function cut(to: Lowering, tensor: string, rank: number, layout: Layout, cuts: readonly Cut[]): string {
  if (cuts.length === 0) return tensor;
  const lists = [
    cuts.map(({ start }) => start),
    cuts.map(({ end }) => end),
    cuts.map(({ axis }) => axisIn(axis, rank, layout)),
    cuts.map(({ step }) => step),
  ];
  return to.writer.node('Slice', [tensor, ...lists.map(list => to.writer.list(list))]);
}

function requireWholeBatch(axis: Axis, call: KernelCall): void {
  if (axis.perRow) throw new CannotCompile(`it takes some images of a batch and leaves others (${call.kernel})`);
}

const slice: LowerCall = (call, to) => {
  const x = inputOf(call, 'x');
  const output = outputOf(call);
  const begin = numbersAttribute(call.attributes, 'begin');
  const lengths = to.shapeOf(output);
  const layout = to.layoutOf(x);
  const cuts = to.shapeOf(x).flatMap((axis, place) => {
    const [start = 0, length] = [begin[place], lengths[place]];
    if (start === 0 && length?.size === axis.size && length.perRow === axis.perRow) return [];
    requireWholeBatch(axis, call);
    return [{ axis: place, start, end: start + (length?.size ?? 0), step: 1 }];
  });
  to.give(output, cut(to, to.take(x, layout), to.rankOf(x), layout, cuts), layout);
};

const stridedSlice: LowerCall = (call, to) => {
  const x = inputOf(call, 'x');
  const output = outputOf(call);
  const shape = to.shapeOf(x);
  const mask = (name: string): number => numberAttribute(call.attributes, name);
  const info = tfjs().slice_util.sliceInfo(
    shape.map(({ size }) => size),
    [...numbersAttribute(call.attributes, 'begin')],
    [...numbersAttribute(call.attributes, 'end')],
    [...numbersAttribute(call.attributes, 'strides')],
    mask('beginMask'),
    mask('endMask'),
    mask('ellipsisMask'),
    mask('newAxisMask'),
    mask('shrinkAxisMask'),
  );
  const cuts = shape.flatMap((axis, place) => {
    const [start = 0, end = 0, step = 1] = [info.begin[place], info.end[place], info.strides[place]];
    if (start === 0 && end === axis.size && step === 1) return [];
    requireWholeBatch(axis, call);
    return [{ axis: place, start, end: end < 0 ? BEFORE_START : end, step }];
  });
  const lengths = shape.map((axis, place) => {
    const [start = 0, end = 0, step = 1] = [info.begin[place], info.end[place], info.strides[place]];
    return axis.perRow ? axis : fixed(Math.ceil((end - start) / step));
  });
  to.giveAs(output, cut(to, to.take(x), shape.length, 'last', cuts), lengths);
};

const reverse: LowerCall = (call, to) => {
  const x = inputOf(call, 'x');
  const rank = to.rankOf(x);
  const layout = to.layoutOf(x);
  const cuts = numbersAttribute(call.attributes, 'dims').map(axis => ({
    axis: axisIn(axis, rank, 'last'),
    start: -1,
    end: BEFORE_START,
    step: -1,
  }));
  for (const { axis } of cuts) requireWholeBatch(to.shapeOf(x)[axis] ?? fixed(0), call);
  to.give(outputOf(call), cut(to, to.take(x, layout), rank, layout, cuts), layout);
};

/** In front of all axes, then behind them. */
function padList(pairs: readonly (readonly [number, number])[], layout: Layout): readonly number[] {
  const places = pairs.map((_, axis) => axisIn(axis, pairs.length, layout));
  const turned = pairs.map((_, place) => pairs[places.indexOf(place)] ?? [0, 0]);
  return [...turned.map(([before]) => before), ...turned.map(([, after]) => after)];
}

const pad: LowerCall = (call, to) => {
  const x = inputOf(call, 'x');
  const layout = to.layoutOf(x);
  const pads = padList(pairsAttribute(call.attributes, 'paddings'), layout);
  const value = to.writer.scalar(numberAttribute(call.attributes, 'constantValue'));
  // All axes, by name: ONNX Runtime (1.30) then leaves it alone. Otherwise it drops zeros in front of a MaxPool and pads that
  // one instead, whose padding counts for nothing: wrong wherever all values under the window are negative.
  const axes = to.writer.list(Array.from({ length: to.rankOf(x) }, (_, axis) => axis));
  to.give(outputOf(call), to.writer.node('Pad', [to.take(x, layout), to.writer.list(pads), value, axes]), layout);
};

const mirrorPad: LowerCall = (call, to) => {
  const x = inputOf(call, 'x');
  const pairs = pairsAttribute(call.attributes, 'paddings');
  if (call.attributes.mode === 'reflect') {
    const result = to.writer.node('Pad', [to.take(x), to.writer.list(padList(pairs, 'last'))], { mode: 'reflect' });
    return to.give(outputOf(call), result);
  }
  // ONNX has no padding that repeats the edge itself: the edges are cut out, reversed and put on.
  const rank = to.rankOf(x);
  let tensor = to.take(x);
  for (const [axis, [before, after]] of pairs.entries()) {
    const edge = (start: number, end: number): string =>
      cut(to, tensor, rank, 'last', [{ axis, start, end, step: -1 }]);
    const pieces = [
      ...(before > 0 ? [edge(before - 1, BEFORE_START)] : []),
      tensor,
      ...(after > 0 ? [edge(-1, -after - 1)] : []),
    ];
    tensor = pieces.length === 1 ? tensor : to.writer.node('Concat', pieces, { axis });
  }
  to.give(outputOf(call), tensor);
};

const tile: LowerCall = (call, to) => {
  const x = inputOf(call, 'x');
  const output = to.shapeOf(outputOf(call));
  const repeats = to.shapeOf(x).map((axis, place) => {
    const target = output[place] ?? axis;
    if (target.perRow !== axis.perRow) throw new CannotCompile('it repeats a tensor as often as there are images');
    return target.size / axis.size;
  });
  to.give(outputOf(call), to.writer.node('Tile', [to.take(x), to.writer.list(repeats)]));
};

const split: LowerCall = (call, to) => {
  const x = inputOf(call, 'x');
  const rank = to.rankOf(x);
  const layout = to.layoutOf(x);
  const axis = axisIn(numberAttribute(call.attributes, 'axis'), rank, 'last');
  requireWholeBatch(to.shapeOf(x)[axis] ?? fixed(0), call);
  const sizes = call.outputs.map(output => to.shapeOf(output)[axis]?.size ?? 0);
  const inputs = [to.take(x, layout), to.writer.list(sizes)];
  const pieces = to.writer.nodeOf('Split', inputs, sizes.length, { axis: axisIn(axis, rank, layout) });
  call.outputs.forEach((output, index) => {
    to.give(output, pieces[index] ?? '', layout);
  });
};

const pack: LowerCall = (call, to) => {
  const output = outputOf(call);
  const axis = numberAttribute(call.attributes, 'axis');
  const shape = to.shapeOf(output).with(axis, fixed(1));
  const tensors = listOf(call).map(value => to.takeShaped(value, shape));
  to.give(output, to.writer.node('Concat', tensors, { axis }));
};

const unpack: LowerCall = (call, to) => {
  const x = inputOf(call, 'value');
  const axis = axisIn(numberAttribute(call.attributes, 'axis'), to.rankOf(x), 'last');
  const shape = to.shapeOf(x);
  requireWholeBatch(shape[axis] ?? fixed(0), call);
  const sizes = call.outputs.map(() => 1);
  const pieces = to.writer.nodeOf('Split', [to.take(x), to.writer.list(sizes)], sizes.length, { axis });
  call.outputs.forEach((output, index) => {
    to.giveAs(output, pieces[index] ?? '', shape.with(axis, fixed(1)));
  });
};

const gather: LowerCall = (call, to) => {
  if (call.attributes.batchDims !== 0) throw new CannotCompile('it gathers by batches (GatherV2)');
  const x = inputOf(call, 'x');
  const axis = axisIn(numberAttribute(call.attributes, 'axis'), to.rankOf(x), 'last');
  const inputs = [to.take(x), to.take(inputOf(call, 'indices'))];
  to.give(outputOf(call), to.writer.node('Gather', inputs, { axis }));
};

const depthToSpace: LowerCall = (call, to) => {
  const blocksize = numberAttribute(call.attributes, 'blockSize');
  const image = to.take(inputOf(call, 'x'), 'first');
  to.give(outputOf(call), to.writer.node('DepthToSpace', [image], { blocksize, mode: 'DCR' }), 'first');
};

/** [rows, height, width, …] → [blocks × rows, height ÷ block, width ÷ block, …], blocks of a dilated convolution. */
const spaceToBatch: LowerCall = (call, to) => {
  const x = inputOf(call, 'x');
  const [rows = 1, columns = 1] = twoBlocks(call);
  const [batch, height, width, ...rest] = to.shapeOf(x);
  const [high = [0, 0], wide = [0, 0]] = pairsAttribute(call.attributes, 'paddings');
  if (batch === undefined || height === undefined || width === undefined) throw new Error('Expected images');
  const pads = padList([[0, 0], high, wide, ...rest.map((): [number, number] => [0, 0])], 'last');
  const padded = to.writer.node('Pad', [to.take(x), to.writer.list(pads)]);
  const [tall, broad] = [height.size + high[0] + high[1], width.size + wide[0] + wide[1]];
  const apart = [batch, fixed(tall / rows), fixed(rows), fixed(broad / columns), fixed(columns), ...rest];
  const perm = [2, 4, 0, 1, 3, ...rest.map((_, index) => index + 5)];
  const turned = to.writer.node('Transpose', [shaped(to, padded, apart)], { perm });
  to.giveAs(outputOf(call), turned, permuted(apart, perm));
};

const batchToSpace: LowerCall = (call, to) => {
  const x = inputOf(call, 'x');
  const [rows = 1, columns = 1] = twoBlocks(call);
  const [blocks, height, width, ...rest] = to.shapeOf(x);
  const [high = [0, 0], wide = [0, 0]] = pairsAttribute(call.attributes, 'crops');
  if (blocks === undefined || height === undefined || width === undefined) throw new Error('Expected images');
  const batch = { ...blocks, size: blocks.size / (rows * columns) };
  const apart = [fixed(rows), fixed(columns), batch, height, width, ...rest];
  const perm = [2, 3, 0, 4, 1, ...rest.map((_, index) => index + 5)];
  const turned = to.writer.node('Transpose', [to.takeShaped(x, apart)], { perm });
  const whole = [batch, fixed(height.size * rows), fixed(width.size * columns), ...rest];
  const cuts = [
    { axis: 1, start: high[0], end: height.size * rows - high[1], step: 1 },
    { axis: 2, start: wide[0], end: width.size * columns - wide[1], step: 1 },
  ];
  to.give(outputOf(call), cut(to, shaped(to, turned, whole), whole.length, 'last', cuts));
};

function twoBlocks(call: KernelCall): readonly number[] {
  const blocks = numbersAttribute(call.attributes, 'blockShape');
  if (blocks.length !== 2) throw new CannotCompile(`it takes blocks of ${blocks.length} axes apart (${call.kernel})`);
  return blocks;
}

function shaped(to: Lowering, tensor: string, shape: readonly Axis[]): string {
  return to.writer.node('Reshape', [tensor, to.writer.list(lengthsOf(shape))]);
}

const filled =
  (value: number): LowerCall =>
  (call, to) => {
    const shape = to.writer.node('Shape', [to.take(inputOf(call, 'x'))]);
    to.give(outputOf(call), to.writer.node('Expand', [to.writer.scalar(value), shape]));
  };

export const ARRANGEMENT: Readonly<Record<string, LowerCall>> = {
  Reshape: reshape('x'),
  ExpandDims: reshape('input'),
  Squeeze: reshape('x'),
  Transpose: transpose,
  Concat: concatenate,
  Slice: slice,
  StridedSlice: stridedSlice,
  Reverse: reverse,
  PadV2: pad,
  MirrorPad: mirrorPad,
  Tile: tile,
  SplitV: split,
  Pack: pack,
  Unpack: unpack,
  GatherV2: gather,
  DepthToSpace: depthToSpace,
  SpaceToBatchND: spaceToBatch,
  BatchToSpaceND: batchToSpace,
  OnesLike: filled(1),
  ZerosLike: filled(0),
};
