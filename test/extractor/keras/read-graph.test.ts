// Configs that Keras 3 and Keras 2 (tf_keras) wrote themselves, as graphs. Made by golden/make_configs.py.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { dialectOf } from '../../../extractor/src/keras/containers.ts';
import { readLayerGraph } from '../../../extractor/src/keras/read-graph.ts';
import type { JsonObject, LayerGraph, TensorRef } from '../../../extractor/src/layer-graph.ts';
import { Refusal } from '../../../shared/src/errors.ts';

type Golden = { readonly keras: string; readonly models: Readonly<Record<string, JsonObject>> };

const goldens = { keras2: readGolden('keras2'), keras3: readGolden('keras3') };

describe.each(['keras2', 'keras3'] as const)('a config of %s', version => {
  const { keras, models } = goldens[version];
  const graphOf = (name: string): LayerGraph => readLayerGraph(modelOf(models, name), dialectOf(keras, {})).graph;

  test('is known by its own fields where the file names no version', () => {
    for (const model of Object.values(models)) expect(dialectOf(undefined, model)).toBe(version === 'keras3' ? 3 : 2);
  });

  test('of a functional model keeps layers in order and edges as they are', () => {
    expect(edges(graphOf('functional'))).toEqual([
      'image <-',
      'conv <- image',
      'norm <- conv',
      'add <- conv, norm',
      'flat <- add',
      'scores <- flat',
    ]);
  });

  test('of a Sequential is a chain behind an input that is no layer of it', () => {
    const graph = graphOf('sequential');
    const [input] = graph.layers;
    expect(input).toMatchObject({ className: 'InputLayer', hidden: true, config: { batch_shape: [null, 8, 8, 3] } });
    expect(edges(graph)).toEqual([`${input?.name} <-`, `conv <- ${input?.name}`, 'pool <- conv']);
  });

  test('inlines nested models under their paths, to any depth, and keeps what they give', () => {
    const graph = graphOf('nested');
    expect(edges(graph)).toEqual([
      'image <-',
      'middle/backbone/conv <- image',
      'middle/backbone/relu <- middle/backbone/conv',
      'middle/join <- middle/backbone/relu, middle/backbone/conv',
      'tail/conv <- middle/join',
    ]);
    const given = Object.fromEntries(
      graph.nested.map(({ name, outputs }) => [name, outputs.map(tensors => tensors.map(ref => nameOf(graph, ref)))]),
    );
    expect(given).toEqual({
      middle: [['middle/join']],
      'middle/backbone': [['middle/backbone/relu', 'middle/backbone/conv']],
      tail: [['tail/conv']],
    });
  });

  test('calls a shared layer and a shared model once per place, with one layer each', () => {
    const graph = graphOf('shared');
    expect(graph.layers.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['left', 'right', 'tower/conv', 'tower/relu', 'shared_conv', 'difference']),
    );
    expect(graph.layers).toHaveLength(6);
    expect(edges(graph)).toEqual([
      'left <-',
      'right <-',
      'tower/conv <- left',
      'tower/relu <- tower/conv',
      'tower/conv <- right',
      'tower/relu <- tower/conv',
      'shared_conv <- tower/relu',
      'shared_conv <- tower/conv',
      'difference <- shared_conv, shared_conv',
    ]);
    const [first, second] = graph.calls.filter(call => graph.layers[call.layer]?.name === 'shared_conv');
    expect(graph.calls.at(-1)?.inputs.map(({ call }) => graph.calls[call])).toEqual([first, second]);
    expect(graph.nested[0]?.outputs).toHaveLength(2);
  });

  test('keeps constants, keywords and further outputs of operations', () => {
    const graph = graphOf('operations');
    const last = graph.calls.at(-1);
    const split = graph.calls[last?.inputs[0]?.call ?? -1];
    expect(split?.outputs).toBe(2);
    expect(last?.inputs[0]?.output).toBe(1);
    const slice = version === 'keras3' ? last?.args[1] : last?.kwargs.slice_spec;
    expect(slice).toEqual([
      { start: null, stop: null, step: null },
      { start: 1, stop: -1, step: null },
      '...',
      { start: null, stop: 2, step: null },
    ]);
    const [double] = graph.calls.filter(call => /multiply/i.test(graph.layers[call.layer]?.name ?? ''));
    expect(version === 'keras3' ? double?.args[1] : double?.kwargs.y).toBe(2);
  });

  test('gives a layer all its tensors, by position or keyword', () => {
    const call = graphOf('attention').calls[1];
    expect(call?.inputs).toEqual([
      { call: 0, output: 0 },
      { call: 0, output: 0 },
    ]);
    const value = version === 'keras3' ? call?.args[1] : call?.kwargs.value;
    expect([call?.args[0], value]).toEqual([{ $input: 0 }, { $input: 1 }]);
  });

  test('gives the layers as they are nested, with frozen ones marked, for finding weights', () => {
    const { tree } = readLayerGraph(modelOf(models, 'frozen'), 2);
    const backbone = tree.children?.find(({ name }) => name === 'backbone');
    expect(backbone?.trainable).toBe(false);
    expect(backbone?.children?.map(({ path }) => path)).toEqual([
      'backbone/inner_image',
      'backbone/conv',
      'backbone/relu',
    ]);
  });
});

test('a config whose edges lead nowhere is refused, naming the layer', () => {
  const model = modelOf(goldens.keras2.models, 'functional');
  const broken = JSON.parse(
    JSON.stringify(model).replace('["flat", 0, 0', '["gone", 0, 0').replace('["flat",0,0', '["gone",0,0'),
  );
  expect(() => readLayerGraph(broken, 2)).toThrow(/'scores' to be connected but 'gone' is missing/);
});

test('a subclassed model is refused, saying what to do', () => {
  const subclassed = { class_name: 'MyModel', config: { name: 'mine', units: 3 } };
  expect(() => readLayerGraph(subclassed, 3)).toThrow(Refusal);
  expect(() => readLayerGraph(subclassed, 3)).toThrow(/MyModel 'mine', a subclassed model/);
});

function edges(graph: LayerGraph): string[] {
  return graph.calls.map(({ layer, inputs }) =>
    `${graph.layers[layer]?.name} <- ${inputs.map(ref => nameOf(graph, ref)).join(', ')}`.trimEnd(),
  );
}

function nameOf(graph: LayerGraph, { call }: TensorRef): string {
  return graph.layers[graph.calls[call]?.layer ?? -1]?.name ?? 'nothing';
}

function modelOf(models: Golden['models'], name: string): JsonObject {
  const model = models[name];
  if (model === undefined) throw new Error(`Expected a golden model '${name}'`);
  return model;
}

function readGolden(version: string): Golden {
  return JSON.parse(readFileSync(fileURLToPath(new URL(`golden/${version}.json`, import.meta.url)), 'utf8')) as Golden;
}
