// The recipe inside a Keras graph, found by following the image input.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { chooseRecipe } from '../../../extractor/src/choose-recipe.ts';
import { findInputPreparation } from '../../../extractor/src/keras/input-preparation.ts';
import { readLayerGraph } from '../../../extractor/src/keras/read-graph.ts';
import type { JsonObject, LayerGraph } from '../../../extractor/src/layer-graph.ts';
import { describeKerasFile } from '../../../extractor/src/models/keras-model.ts';
import { refusalOf } from '../../support/refusal.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

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

test('a Normalization that undoes one is no preparation, and ends the search', () => {
  const inverted = layer('Normalization', 'undo', { axis: [-1], mean: [1, 2, 3], variance: [1, 1, 1], invert: true });
  expect(preparationOf([inverted, layer('Rescaling', 'scale', { scale: 1 / 255 })])).toEqual([]);
  expect(preparationOf([layer('Rescaling', 'scale', { scale: 1 / 255 }), inverted])).toEqual([
    { layer: 'scale', does: 'x * 0.003922' },
  ]);
});

test('a recipe for a model that begins with it is asked for', async () => {
  const layers = [layer('Normalization', 'undo', { axis: [-1], mean: [1, 2, 3], variance: [1, 1, 1], invert: true })];
  const folder = await temporaryFolder();
  const model = await describeKerasFile({
    path: join(folder, 'undo.keras'),
    format: 'keras',
    graph: graphOf(layers),
    weights: async () => new Map(),
    digest: async () => '',
  });
  expect(model.table.layers.at(-1)).toMatchObject({ name: 'undo', className: 'Normalization' });
  const { message } = await refusalOf(() => chooseRecipe({}, model), 'recipe-missing');
  expect(message).not.toContain("'undo'");
});

test.each(['RandomCrop', 'GaussianNoise', 'Dropout', 'ZeroPadding2D', 'CenterCrop'])(
  '%s in front does not hide it',
  passing => {
    expect(preparationOf([layer(passing, 'first', {}), layer('Rescaling', 'scale', { scale: 1 / 255 })])).toHaveLength(
      1,
    );
  },
);

test('a layer on one of two ways from the input is none', () => {
  const input = layer('InputLayer', 'image', { batch_input_shape: [null, 8, 8, 3] });
  const scale = { ...layer('Rescaling', 'scale', { scale: 1 / 255 }), inbound_nodes: [[['image', 0, 0, {}]]] };
  const sum = {
    ...layer('Add', 'sum', {}),
    inbound_nodes: [
      [
        ['image', 0, 0, {}],
        ['scale', 0, 0, {}],
      ],
    ],
  };
  const config = {
    name: 'two_ways',
    layers: [{ inbound_nodes: [], ...input }, scale, sum],
    input_layers: [['image', 0, 0]],
    output_layers: [['sum', 0, 0]],
  };
  expect(findInputPreparation(readLayerGraph({ class_name: 'Functional', config }, 2).graph)).toEqual([]);
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
  return findInputPreparation(graphOf(layers));
}

function graphOf(layers: readonly JsonObject[]): LayerGraph {
  const input = layer('InputLayer', 'image', { batch_shape: [null, 8, 8, 3] });
  const model = { class_name: 'Sequential', config: { name: 'model', layers: [input, ...layers] } };
  return readLayerGraph(model, 3).graph;
}

function layer(className: string, name: string, config: JsonObject): JsonObject {
  return { class_name: className, name, config: { name, ...config } };
}

function lambda(name: string, operation: string, node: JsonObject[string]): JsonObject {
  return { class_name: 'TFOpLambda', name, config: { name, function: operation }, inbound_nodes: [node] };
}
