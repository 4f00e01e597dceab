// Folds what stands around a convolution into it: groups that were taken apart, zeros that are padded in front of it, the
// batch normalisation behind it; zeros into a MaxPool behind a ReLU; and a ReLU into a clip at 0. All are exact but for the
// last bit of a product.
import { sizeOfShape } from '../../../shared/src/tensor.ts';
import { FUSED } from './activation.ts';
import { pairsAttribute } from './attributes.ts';
import type { KernelCall, KernelGraph, KernelValue } from './kernel-graph.ts';
import { scaleAndShift } from './normalization.ts';
import type { NumberData } from './trace.ts';

/** Each with the kernel that also takes a bias. */
const WITH_BIAS: Readonly<Record<string, string>> = {
  Conv2D: 'FusedConv2D',
  FusedConv2D: 'FusedConv2D',
  DepthwiseConv2dNative: 'FusedDepthwiseConv2D',
  FusedDepthwiseConv2D: 'FusedDepthwiseConv2D',
};
const DEPTHWISE = 'FusedDepthwiseConv2D';
/** Kernels that give no value below 0. */
const NEVER_NEGATIVE: readonly (string | undefined)[] = ['Relu', 'Relu6', 'Sigmoid'];

export function foldKernels(graph: KernelGraph): KernelGraph {
  return foldNormalization(foldPadding(foldGroups(foldRelu(graph))));
}

/** How often a value is taken; wanted outputs count as taken. */
function countUses({ calls, outputs }: KernelGraph): ReadonlyMap<number, number> {
  const uses = new Map<number, number>();
  for (const value of [...calls.flatMap(({ inputs }) => Object.values(inputs)), ...outputs]) {
    uses.set(value, (uses.get(value) ?? 0) + 1);
  }
  return uses;
}

function makersOf(calls: readonly KernelCall[]): ReadonlyMap<number, KernelCall> {
  return new Map(calls.flatMap(call => call.outputs.map(output => [output, call] as const)));
}

/** TensorFlow.js writes a ReLU with a largest value as a ReLU and a clip. */
function foldRelu(graph: KernelGraph): KernelGraph {
  const uses = countUses(graph);
  const makers = makersOf(graph.calls);
  const folded = new Set<KernelCall>();
  const calls = graph.calls.map((call): KernelCall => {
    const relu = makers.get(call.inputs.x ?? -1);
    const x = relu?.inputs.x;
    if (call.kernel !== 'ClipByValue' || call.attributes.clipValueMin !== 0) return call;
    if (relu?.kernel !== 'Relu' || x === undefined || uses.get(relu.outputs[0] ?? -1) !== 1) return call;
    folded.add(relu);
    return { ...call, inputs: { x } };
  });
  return { ...graph, calls: calls.filter(call => !folded.has(call)) };
}

/** Split, one convolution per part, Concat: a convolution in groups, which TensorFlow.js has not. */
function foldGroups(graph: KernelGraph): KernelGraph {
  const uses = countUses(graph);
  const makers = makersOf(graph.calls);
  const values: KernelValue[] = [...graph.values];
  const folded = new Set<KernelCall>();
  const calls = graph.calls.map((call): KernelCall => {
    if (call.kernel !== 'Concat' || call.attributes.axis !== 3) return call;
    const parts = Object.values(call.inputs).map(value => makers.get(value));
    const [first] = parts;
    const split = makers.get(first?.inputs.x ?? -1);
    if (first === undefined || split?.kernel !== 'SplitV' || split.attributes.axis !== 3) return call;
    const shape = values[first.inputs.filter ?? -1]?.shape.map(({ size }) => size) ?? [];
    const filters = parts.flatMap(part => values[part?.inputs.filter ?? -1]?.data ?? []);
    const attributes = JSON.stringify(first.attributes);
    const isGrouped =
      parts.length === split.outputs.length &&
      filters.length === parts.length &&
      filters.every(filter => filter.length === filters[0]?.length) &&
      parts.every(
        (part, group) =>
          part?.kernel === 'Conv2D' &&
          part.inputs.x === split.outputs[group] &&
          JSON.stringify(part.attributes) === attributes &&
          uses.get(part.outputs[0] ?? -1) === 1 &&
          uses.get(part.inputs.x ?? -1) === 1,
      );
    if (!isGrouped) return call;
    const [height = 1, width = 1, channels = 1, each = 1] = shape;
    const total = each * parts.length;
    const data = new Float32Array(height * width * channels * total);
    for (const [group, filter] of filters.entries()) {
      for (const [i, weight] of filter.entries()) {
        data[Math.floor(i / each) * total + group * each + (i % each)] = weight;
      }
    }
    const axes = [height, width, channels, total].map(size => ({ size, perRow: false }));
    const filter = values.push({ shape: axes, dtype: 'float32', data }) - 1;
    for (const part of [split, ...parts]) if (part !== undefined) folded.add(part);
    const { x } = split.inputs;
    if (x === undefined) throw new Error('Expected an input of SplitV');
    return {
      kernel: first.kernel,
      inputs: { x, filter },
      attributes: { ...first.attributes, groups: parts.length },
      outputs: call.outputs,
    };
  });
  return { ...graph, values, calls: calls.filter(call => !folded.has(call)) };
}

function foldPadding(graph: KernelGraph): KernelGraph {
  const uses = countUses(graph);
  const makers = makersOf(graph.calls);
  const folded = new Set<KernelCall>();
  const calls = graph.calls.map((call): KernelCall => {
    const pad = makers.get(call.inputs.x ?? -1);
    if (call.attributes.pad !== 'valid' || pad === undefined) return call;
    const x = pad.inputs.x;
    if (pad.kernel !== 'PadV2' || pad.attributes.constantValue !== 0 || x === undefined) return call;
    // What a maximum pads counts for nothing, as zeros do where no value is less.
    const padsItself = call.kernel in WITH_BIAS || (call.kernel === 'MaxPool' && isNeverNegative(makers.get(x)));
    if (!padsItself) return call;
    const pairs = pairsAttribute(pad.attributes, 'paddings');
    const isInSpace = pairs.length === 4 && [pairs[0], pairs[3]].every(pair => pair?.[0] === 0 && pair[1] === 0);
    if (!isInSpace || uses.get(pad.outputs[0] ?? -1) !== 1) return call;
    folded.add(pad);
    return { ...call, inputs: { ...call.inputs, x }, attributes: { ...call.attributes, pad: pairs } };
  });
  return { ...graph, calls: calls.filter(call => !folded.has(call)) };
}

function foldNormalization(graph: KernelGraph): KernelGraph {
  const uses = countUses(graph);
  const makers = makersOf(graph.calls);
  const values: KernelValue[] = [...graph.values];
  const replaced = new Map<KernelCall, KernelCall>();
  const folded = new Set<KernelCall>();
  const constantOf = (value: number | undefined) => (value === undefined ? undefined : values[value]?.data);
  for (const call of graph.calls) {
    const convolution = makers.get(call.inputs.x ?? -1);
    if (call.kernel !== 'FusedBatchNorm' || convolution === undefined) continue;
    if (!isFoldable(convolution) || uses.get(call.inputs.x ?? -1) !== 1) continue;
    const { filter, bias } = convolution.inputs;
    const weights = constantOf(filter);
    const factors = scaleAndShift(call, constantOf);
    const filterValue = values[filter ?? -1];
    if (weights === undefined || factors === undefined || filterValue === undefined) continue;
    if (bias !== undefined && constantOf(bias) === undefined) continue;
    const lengths = filterValue.shape.map(({ size }) => size);
    // A filter's last axes are the channels it gives: one, or input × multiplier of a depthwise one.
    const channels = WITH_BIAS[convolution.kernel] === DEPTHWISE ? sizeOfShape(lengths.slice(2)) : (lengths[3] ?? 1);
    const { scale, shift } = factors;
    const data = scaleChannels(weights, scale.subarray(0, channels));
    const given = constantOf(bias);
    const added = Float32Array.from(shift, (value, i) => (given?.[i] ?? 0) * (scale[i] ?? 1) + value);
    const at = values.push(
      { ...filterValue, data },
      { shape: [{ size: channels, perRow: false }], dtype: 'float32', data: added },
    );
    folded.add(call);
    replaced.set(convolution, {
      ...convolution,
      kernel: WITH_BIAS[convolution.kernel] ?? convolution.kernel,
      inputs: { ...convolution.inputs, filter: at - 2, bias: at - 1 },
      outputs: call.outputs,
    });
  }
  const calls = graph.calls.filter(call => !folded.has(call)).map(call => replaced.get(call) ?? call);
  return { ...graph, values, calls };
}

function isNeverNegative(maker: KernelCall | undefined): boolean {
  if (maker === undefined) return false;
  const { kernel, attributes } = maker;
  if (kernel === 'ClipByValue') return attributes.clipValueMin === 0;
  return NEVER_NEGATIVE.includes(kernel in WITH_BIAS ? FUSED[String(attributes.activation)] : kernel);
}

/** @param weights the channels stand last */
function scaleChannels(weights: NumberData, scale: Float32Array): Float32Array {
  const scaled = new Float32Array(weights.length);
  for (let start = 0; start < weights.length; start += scale.length) {
    for (let channel = 0; channel < scale.length; channel++) {
      scaled[start + channel] = (weights[start + channel] as number) * (scale[channel] as number);
    }
  }
  return scaled;
}

function isFoldable({ kernel, attributes, inputs }: KernelCall): boolean {
  const { activation } = attributes;
  const isLinear = activation === undefined || activation === null || activation === 'linear';
  return kernel in WITH_BIAS && isLinear && inputs.preluActivationWeights === undefined;
}
