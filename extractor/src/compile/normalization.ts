// Batch normalisation in inference: one multiplication and one addition per channel. `fold.ts` has put it into the
// convolution in front where there is one.
import { numberAttribute } from './attributes.ts';
import { CannotCompile } from './cannot-compile.ts';
import type { KernelCall } from './kernel-graph.ts';
import type { LowerCall } from './lowering.ts';
import { inputOf, outputOf } from './operands.ts';
import type { NumberData } from './trace.ts';

export interface ScaleAndShift {
  readonly scale: Float32Array;
  readonly shift: Float32Array;
}

/** y = x × scale + shift. @param constantOf the data of one of the call's inputs */
export function scaleAndShift(
  call: KernelCall,
  constantOf: (value: number) => NumberData | undefined,
): ScaleAndShift | undefined {
  const read = (name: string): NumberData | undefined => {
    const value = call.inputs[name];
    return value === undefined ? undefined : constantOf(value);
  };
  const [mean, variance, gamma, beta] = ['mean', 'variance', 'scale', 'offset'].map(read);
  if (mean === undefined || variance === undefined) return undefined;
  if (
    (call.inputs.scale !== undefined && gamma === undefined) ||
    (call.inputs.offset !== undefined && beta === undefined)
  )
    return undefined;
  const epsilon = numberAttribute(call.attributes, 'varianceEpsilon');
  const scale = Float32Array.from(variance, (value, i) => (gamma?.[i] ?? 1) / Math.sqrt(value + epsilon));
  const shift = Float32Array.from(mean, (value, i) => {
    const factor = (gamma?.[i] ?? 1) / Math.sqrt((variance[i] ?? 0) + epsilon);
    return (beta?.[i] ?? 0) - value * factor;
  });
  return { scale, shift };
}

const normalize: LowerCall = (call, to) => {
  const values = scaleAndShift(call, value => to.constantOf(value));
  if (values === undefined) throw new CannotCompile('a batch normalisation has statistics that depend on the images');
  const x = inputOf(call, 'x');
  const layout = to.layoutOf(x);
  const rank = to.rankOf(x);
  const perChannel = (data: Float32Array): string =>
    to.writer.constant(data, [data.length, ...Array.from({ length: layout === 'first' ? rank - 2 : 0 }, () => 1)]);
  const scaled = to.writer.node('Mul', [to.take(x, layout), perChannel(values.scale)]);
  to.give(outputOf(call), to.writer.node('Add', [scaled, perChannel(values.shift)]), layout);
};

export const NORMALIZATION: Readonly<Record<string, LowerCall>> = { FusedBatchNorm: normalize };
