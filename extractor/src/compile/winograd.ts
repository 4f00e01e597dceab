// 3 × 3 convolutions by minimal filtering: F(2 × 2, 3 × 3) of Lavin and Gray, "Fast Algorithms for Convolutional Neural
// Networks" (https://arxiv.org/abs/1509.09308). Four pixels together, of a patch of 4 × 4, take 16 multiplications per pair
// of channels instead of 36. Written with convolutions and sums alone, which ONNX Runtime keeps in its blocked layout.
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import { type Lowering, transposeData } from './lowering.ts';

export interface Channels {
  readonly in: number;
  readonly out: number;
}

export interface WinogradConvolution {
  /** Channels first. */
  readonly image: string;
  /** Without the batch and the channels: [height, width]. */
  readonly input: readonly number[];
  readonly output: readonly number[];
  /** [3, 3, in, out] */
  readonly filter: ArrayLike<number>;
  readonly channels: Channels;
  /** In front of both axes, then behind them. */
  readonly pads: readonly number[];
  /** [out] */
  readonly bias: string | undefined;
}

/** What one of the four values of a patch's row is made of: two of its pixels, each added or taken away. */
interface Tap {
  readonly places: readonly [number, number];
  readonly signs: readonly [number, number];
}

/** The paper's Bᵀ. */
const TAPS: readonly Tap[] = [
  { places: [0, 2], signs: [1, -1] },
  { places: [1, 2], signs: [1, 1] },
  { places: [1, 2], signs: [-1, 1] },
  { places: [1, 3], signs: [1, -1] },
];
/** The paper's G, the last row with its sign changed: its Aᵀ, `1 1 1 0` and `0 1 −1 −1`, then takes away in one place only. */
const FILTER_ROWS = [
  [1, 0, 0],
  [0.5, 0.5, 0.5],
  [0.5, -0.5, 0.5],
  [0, 0, -1],
] as const;

/** Of channels, in and out. With fewer, making up the patches takes longer than is won (measured on one core with AVX512). */
const LEAST_CHANNELS = 64;
/** Per image. With fewer, starting so many operators does. */
const LEAST_PRODUCTS = 6_000_000;
/** The patches of a larger image leave the cache, which only more channels make up for. */
const LARGE_PIXELS = 96 * 96;
const LEAST_CHANNELS_OF_LARGE = 128;
/** Of channels, in the runtime's own layout. */
const BLOCK = 16;

/** Whether it takes less time than a plain convolution. @param output [height, width] */
export function isFaster(output: readonly number[], channels: Channels): boolean {
  const pixels = sizeOfShape(output);
  const least = pixels > LARGE_PIXELS ? LEAST_CHANNELS_OF_LARGE : LEAST_CHANNELS;
  const isWide = [channels.in, channels.out].every(count => count >= least && count % BLOCK === 0);
  return isWide && 9 * channels.in * channels.out * pixels >= LEAST_PRODUCTS;
}

/** @returns a tensor with channels first */
export function convolveWinograd(to: Lowering, convolution: WinogradConvolution): string {
  const { channels, bias } = convolution;
  // Down the columns of products, then along the rows of what that gives.
  const columns = TAPS.map((_, column) =>
    unite(
      to,
      channels.out,
      TAPS.map((_, row) => multiply(to, convolution, row, column)),
    ),
  );
  const pixels = [0, 1].map(row =>
    unite(
      to,
      channels.out,
      columns.map(column => column[row] ?? ''),
    ),
  );
  const image = to.writer.node('Transpose', [interleave(to, convolution, pixels)], { perm: [0, 3, 1, 2] });
  // Times 1: the runtime keeps what a convolution gives in its blocks, and can add and activate in it.
  return scale(to, channels.out, 1, image, bias);
}

/** Times a number, as a convolution of each channel by itself. */
function scale(to: Lowering, channels: number, factor: number, tensor: string, bias?: string): string {
  const weights = to.writer.constant(new Float32Array(channels).fill(factor), [channels, 1, 1, 1]);
  return to.writer.node('Conv', [tensor, weights, ...(bias === undefined ? [] : [bias])], { group: channels });
}

/** One of the 16 products of all patches: a value of the patch times one of the filter, summed over the channels. */
function multiply(to: Lowering, convolution: WinogradConvolution, row: number, column: number): string {
  const { channels } = convolution;
  const values = patchValues(to, convolution, row, column);
  const weights = to.writer.constant(filterValues(convolution, row, column), [channels.out, channels.in, 1, 1]);
  return to.writer.node('Conv', [values, weights]);
}

/** BᵀdB in one place, as a convolution of each channel by itself. */
function patchValues(
  to: Lowering,
  { image, input, output, pads, channels }: WinogradConvolution,
  row: number,
  column: number,
) {
  const windows = [row, column].map((index, axis) => {
    const [length = 0, pixels = 0, pad = 0] = [input[axis], output[axis], pads[axis]];
    return windowOf(TAPS[index] as Tap, { length, pixels, pad });
  });
  const [down, across] = windows as [TapWindow, TapWindow];
  const kernel = down.weights.flatMap(a => across.weights.map(b => a * b));
  const weights = Float32Array.from({ length: channels.in * kernel.length }, (_, i) => kernel[i % kernel.length] ?? 0);
  const size = windows.map(window => window.weights.length);
  return to.writer.node('Conv', [image, to.writer.constant(weights, [channels.in, 1, ...size])], {
    group: channels.in,
    strides: [2, 2],
    dilations: windows.map(({ dilation }) => dilation),
    pads: [...windows.map(({ before }) => before), ...windows.map(({ behind }) => behind)],
  });
}

interface TapWindow {
  readonly weights: readonly number[];
  readonly dilation: number;
  readonly before: number;
  readonly behind: number;
}

/** Two pixels with a gap; or, where the image's border would lie within the gap in front, zeros for all that is passed over. */
function windowOf(
  { places, signs }: Tap,
  { length, pixels, pad }: { readonly length: number; readonly pixels: number; readonly pad: number },
): TapWindow {
  const [first, second] = places;
  const last = 2 * (Math.ceil(pixels / 2) - 1) + second - pad;
  const behind = Math.max(0, last - (length - 1));
  if (pad >= first) return { weights: signs, dilation: second - first, before: pad - first, behind };
  const weights = Array.from({ length: second + 1 - pad }, (_, i) => {
    const place = i + pad;
    return place === first ? signs[0] : place === second ? signs[1] : 0;
  });
  return { weights, dilation: 1, before: 0, behind };
}

/** GgGᵀ in one place, as [out, in]. */
function filterValues({ filter, channels }: WinogradConvolution, row: number, column: number): Float32Array {
  const size = channels.in * channels.out;
  const [down, across] = [FILTER_ROWS[row] ?? [], FILTER_ROWS[column] ?? []];
  const terms = down
    .flatMap((a, i) => across.map((b, j) => ({ factor: a * b, start: (i * 3 + j) * size })))
    .filter(({ factor }) => factor !== 0);
  const values = new Float32Array(size);
  for (let place = 0; place < size; place++) {
    let sum = 0;
    for (const { factor, start } of terms) sum += factor * (filter[start + place] as number);
    values[place] = sum;
  }
  return transposeData(values, [channels.in, channels.out], [1, 0]);
}

/** Aᵀ times four tensors: the two that come out. */
function unite(to: Lowering, channels: number, four: readonly string[]): readonly string[] {
  const [zeroth = '', first = '', second = '', third = ''] = four;
  const { writer } = to;
  const opposite = scale(to, channels, -1, second);
  return [
    writer.node('Add', [zeroth, writer.node('Add', [first, second])]),
    writer.node('Add', [third, writer.node('Add', [opposite, first])]),
  ];
}

/** The four pixels of every patch, each in a tensor of its own, as one image with channels last. */
function interleave(
  to: Lowering,
  { output, channels }: WinogradConvolution,
  pixels: readonly (readonly string[])[],
): string {
  const { writer } = to;
  const axes = writer.list([2, 4]);
  const rows = pixels.map(pair => {
    const turned = pair.map(pixel => writer.node('Transpose', [pixel], { perm: [0, 2, 3, 1] }));
    return writer.node(
      'Concat',
      turned.map(pixel => writer.node('Unsqueeze', [pixel, axes])),
      { axis: 4 },
    );
  });
  const whole = output.map(length => 2 * Math.ceil(length / 2));
  // A 0 keeps the batch axis, and its name: the runtime must see that sums further on are of tensors of one shape.
  const shape = writer.list([0, ...whole, channels.out]);
  const image = writer.node('Reshape', [writer.node('Concat', rows, { axis: 2 }), shape]);
  if (whole.every((length, axis) => length === output[axis])) return image;
  return writer.node('Slice', [image, writer.list([0, 0]), writer.list(output), writer.list([1, 2])]);
}
