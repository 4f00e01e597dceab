// The recipe inside a Keras graph, found by following the image input.
import { expect, test } from 'vitest';
import { findInputPreparation } from '../../../extractor/src/keras/input-preparation.ts';
import { readLayerGraph } from '../../../extractor/src/keras/read-graph.ts';
import type { JsonObject } from '../../../extractor/src/layer-graph.ts';

test('rescaling and normalization before the first convolution are found, in order', () => {
  expect(
    preparationOf([
      layer('Rescaling', 'scale', { scale: 1 / 255, offset: 0 }),
      layer('Normalization', 'norm', { axis: [-1], mean: [0.485, 0.456, 0.406], variance: [0.05, 0.05, 0.05] }),
      layer('Conv2D', 'conv', { filters: 2 }),
      layer('Rescaling', 'later', { scale: 2, offset: 0 }),
    ]),
  ).toEqual([
    { layer: 'scale', does: 'x * 0.003922' },
    { layer: 'norm', does: '(x - [0.485, 0.456, 0.406]) / std' },
  ]);
});

test('resizing and augmentation in front do not hide it', () => {
  expect(
    preparationOf([
      layer('Resizing', 'resize', { height: 4, width: 4 }),
      layer('RandomFlip', 'flip', {}),
      layer('Rescaling', 'scale', { scale: 1 / 127.5, offset: -1 }),
    ]),
  ).toEqual([{ layer: 'scale', does: 'x * 0.007843 + -1' }]);
});

test('a model that begins with a convolution has none', () => {
  expect(preparationOf([layer('Conv2D', 'conv', { filters: 2 }), layer('Rescaling', 'scale', { scale: 3 })])).toEqual(
    [],
  );
});

test('an operation with a constant counts, one of two tensors does not', () => {
  const input = layer('InputLayer', 'image', { batch_input_shape: [null, 8, 8, 3] });
  const divide = lambda('tf.math.truediv', 'math.truediv', [['image', 0, 0, { y: 255, name: null }]]);
  const square = lambda('tf.math.multiply', 'math.multiply', [
    ['tf.math.truediv', 0, 0, { y: ['tf.math.truediv', 0, 0] }],
  ]);
  const graph = readLayerGraph(
    {
      class_name: 'Functional',
      config: {
        name: 'operations',
        layers: [input, divide, square].map(spec => ({ inbound_nodes: [], ...spec })),
        input_layers: [['image', 0, 0]],
        output_layers: [['tf.math.multiply', 0, 0]],
      },
    },
    2,
  ).graph;
  expect(findInputPreparation(graph)).toEqual([{ layer: 'tf.math.truediv', does: 'x / 255' }]);
});

function preparationOf(layers: readonly JsonObject[]): unknown {
  const input = layer('InputLayer', 'image', { batch_shape: [null, 8, 8, 3] });
  const model = { class_name: 'Sequential', config: { name: 'model', layers: [input, ...layers] } };
  return findInputPreparation(readLayerGraph(model, 3).graph);
}

function layer(className: string, name: string, config: JsonObject): JsonObject {
  return { class_name: className, name, config: { name, ...config } };
}

function lambda(name: string, operation: string, node: JsonObject[string]): JsonObject {
  return { class_name: 'TFOpLambda', name, config: { name, function: operation }, inbound_nodes: [node] };
}
