// Where the channels of an ONNX tensor are: followed through the operators, from the input on, without running them.
import { describe, expect, test } from 'vitest';
import { type ChannelAxis, channelAxes } from '../../../extractor/src/models/onnx-channels.ts';
import { readGraph } from '../../../extractor/src/models/onnx-graph.ts';
import { readFields } from '../../../extractor/src/models/protobuf.ts';
import { floatTensor, int64Tensor, intAttribute, intsAttribute, node, onnxModel, valueInfo } from '../onnx-model.ts';

const NCHW = [null, 3, 8, 6];
const NHWC = [null, 8, 6, 3];

describe('channels stay in axis 1 through', () => {
  test.each<[string, Uint8Array[]]>([
    ['a softmax', [node('Softmax', ['image'], 'out', [intAttribute('axis', 1)])]],
    ['a logarithm of a softmax', [node('LogSoftmax', ['image'], 'out')]],
    ['a sum with a weight', [node('Add', ['image', 'weight'], 'out')]],
    [
      'a sum with what is made of weights',
      [node('Transpose', ['weight'], 'turned', [permutation(0, 2, 3, 1)]), node('Add', ['turned', 'image'], 'out')],
    ],
    [
      'a comparison and a choice',
      [node('Greater', ['image', 'weight'], 'mask'), node('Where', ['mask', 'image', 'weight'], 'out')],
    ],
    [
      'a gate whose axes were made anew',
      [node('Reshape', ['image', 'target'], 'gate'), node('Mul', ['gate', 'image'], 'out')],
    ],
    ['a mean that keeps its axes, by default', [node('ReduceMean', ['image'], 'out', [intsAttribute('axes', [2, 3])])]],
    ['a maximum that says so', [node('ReduceMax', ['image'], 'out', [intAttribute('keepdims', 1)])]],
    ['a concatenation', [node('Relu', ['image'], 'relu'), node('Concat', ['image', 'relu'], 'out')]],
    ['every part of a split', [node('Split', ['image'], 'a b', [intAttribute('axis', 1)]), node('Relu', ['b'], 'out')]],
    [
      'two transpositions that undo each other',
      [node('Transpose', ['image'], 'turned', [permutation(0, 2, 3, 1)]), turn('turned', 0, 3, 1, 2)],
    ],
    ['a transposition of space', [turn('image', 0, 1, 3, 2)]],
    ['a product over the width', [node('MatMul', ['image', 'matrix'], 'out')]],
    ['a convolution, whatever came before', [turn('image', 0, 2, 3, 1, 'odd'), node('Conv', ['odd', 'weight'], 'out')]],
  ])('%s', (_, nodes) => expect(axisOf(nodes, NCHW)).toBe('first'));
});

describe('channels are in the last axis after', () => {
  test.each<[string, Uint8Array[], (number | null)[]]>([
    ['an activation of an input that has them there', [node('Tanh', ['image'], 'out')], NHWC],
    ['a mean over its space', [node('ReduceMean', ['image'], 'out', [intsAttribute('axes', [1, 2])])], NHWC],
    ['a transposition that moves them there', [turn('image', 0, 2, 3, 1)], NCHW],
    ['one that moves width before height, too', [turn('image', 0, 3, 2, 1)], NCHW],
    [
      'a dense layer over tokens',
      [node('Reshape', ['image', 'target'], 'tokens'), node('MatMul', ['tokens', 'matrix'], 'out')],
      NCHW,
    ],
    [
      'a dense layer whose weight is made of another',
      [
        node('Reshape', ['image', 'target'], 'tokens'),
        node('Transpose', ['matrix'], 'dense', [permutation(1, 0)]),
        node('MatMul', ['tokens', 'dense'], 'out'),
      ],
      NCHW,
    ],
    [
      'a normalization of the last axis of tokens',
      [
        node('Reshape', ['image', 'target'], 'tokens'),
        node('LayerNormalization', ['tokens', 'weight'], 'out', [intAttribute('axis', -1)]),
      ],
      NCHW,
    ],
    [
      'a residual sum of tokens',
      [
        node('Reshape', ['image', 'target'], 'tokens'),
        node('LayerNormalization', ['tokens', 'weight'], 'normal'),
        node('Add', ['tokens', 'normal'], 'out'),
      ],
      NCHW,
    ],
  ])('%s', (_, nodes, input) => expect(axisOf(nodes, input)).toBe('last'));
});

describe('nobody knows the axis of the channels after', () => {
  test.each<[string, Uint8Array[]]>([
    ['a reshape', [node('Reshape', ['image', 'target'], 'out')]],
    ['a flattening', [node('Flatten', ['image'], 'out')]],
    ['axes taken away', [node('Squeeze', ['image'], 'out')]],
    ['a mean without its axes', [node('ReduceMean', ['image'], 'out', [intAttribute('keepdims', 0)])]],
    ['a transposition that puts them between others', [turn('image', 0, 2, 1, 3)]],
    ['a transposition that turns all around', [node('Transpose', ['image'], 'out')]],
    ['an operator nobody described', [node('Scan', ['image'], 'out')]],
    ['a product of two tensors', [turn('image', 0, 2, 1, 3, 'odd'), node('MatMul', ['odd', 'odd'], 'out')]],
    [
      'a normalization of several axes of what was not known',
      [
        node('Reshape', ['image', 'target'], 'odd'),
        node('LayerNormalization', ['odd', 'weight'], 'out', [intAttribute('axis', -3)]),
      ],
    ],
    [
      'a sum and a concatenation of tensors that disagree',
      [
        node('Transpose', ['image'], 'turned', [permutation(0, 2, 3, 1)]),
        node('Add', ['image', 'turned'], 'sum'),
        node('Concat', ['image', 'turned'], 'pair'),
        node('Mul', ['sum', 'pair'], 'out'),
      ],
    ],
  ])('%s', (_, nodes) => expect(axisOf(nodes, NCHW)).toBeUndefined());
});

function axisOf(nodes: readonly Uint8Array[], input: readonly (number | null)[]): ChannelAxis | undefined {
  const model = onnxModel({
    nodes,
    weights: [
      floatTensor('weight', [1, 3, 1, 1], Float32Array.of(1, 2, 3)),
      floatTensor('matrix', [6, 1], new Float32Array(6)),
      int64Tensor('target', [-1, 3, 8, 6]),
    ],
    inputs: [valueInfo('image', input)],
    outputs: [valueInfo('out', [])],
  });
  const graph = [...readFields(model)].find(field => field.number === 7)?.bytes ?? new Uint8Array();
  return channelAxes(readGraph(graph)).get('out');
}

function permutation(...axes: number[]): Uint8Array {
  return intsAttribute('perm', axes);
}

function turn(from: string, a: number, b: number, c: number, d: number, to = 'out'): Uint8Array {
  return node('Transpose', [from], to, [permutation(a, b, c, d)]);
}
