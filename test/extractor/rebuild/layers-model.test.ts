// Layer graphs as models: what is built, what is refused, names of tensors, saving and training.
import type * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { openTensorFlowEngine } from '../../../extractor/src/engines/tensorflow.ts';
import type { GraphLayer, LayerCall, LayerGraph, LayerWeights } from '../../../extractor/src/layer-graph.ts';
import { tensorNames } from '../../../extractor/src/layer-names.ts';
import { rebuildLayersModel } from '../../../extractor/src/rebuild/layers-model.ts';
import { unsupportedReason } from '../../../extractor/src/rebuild/unsupported.ts';
import { weightNames } from '../../../extractor/src/rebuild/weight-names.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import { because, whyNot } from '../../support/needs.ts';
import { relativeDifference } from '../numbers.ts';
import { sampleValues, useCpu, useWasm } from '../small-model.ts';
import { readGoldens, runModel } from './layer-goldens.ts';

beforeAll(useWasm);

const NO_WEIGHTS: LayerWeights = new Map();
const WEIGHTS: LayerWeights = new Map([
  [
    'dense',
    [
      { name: 'kernel', shape: [4, 3], data: sampleValues([4, 3]) },
      { name: 'bias', shape: [3], data: sampleValues([3]) },
    ],
  ],
]);

/** A chain of layers behind an input of four numbers. */
function chain(
  ...layers: readonly (Partial<GraphLayer> & { readonly name: string; readonly className: string })[]
): LayerGraph {
  const input: GraphLayer = { name: 'image', className: 'InputLayer', config: { batch_shape: [null, 4] }, dialect: 3 };
  const calls = layers.map(
    (_, index): LayerCall => ({
      layer: index + 1,
      inputs: [{ call: index, output: 0 }],
      args: [{ $input: 0 }],
      kwargs: {},
      outputs: 1,
    }),
  );
  return {
    name: 'chain',
    layers: [input, ...layers.map((layer): GraphLayer => ({ config: {}, dialect: 3, ...layer }))],
    calls: [{ layer: 0, inputs: [], args: [], kwargs: {}, outputs: 1 }, ...calls],
    inputs: [{ call: 0, output: 0 }],
    outputs: [{ call: layers.length, output: 0 }],
    nested: [],
  };
}

const DENSE = {
  name: 'dense',
  className: 'Dense',
  config: { units: 3, use_bias: true, activation: 'linear' },
} as const;

function refusalOf(build: () => unknown): Refusal {
  try {
    build();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('Expected a refusal');
}

describe('a layer that cannot be rebuilt', () => {
  const graph = chain(DENSE, { name: 'scale', className: 'Lambda' }, { name: 'last', className: 'ReLU' });

  test('is refused by name, class and what to do', () => {
    const refusal = refusalOf(() => rebuildLayersModel(graph, WEIGHTS));
    expect(refusal.code).toBe('model-unreadable');
    expect(refusal.message).toContain("'scale' (Lambda) is a Lambda with Python code");
    expect(refusal.hint).toContain('Take layers in front of it');
  });

  test('does not matter behind the wanted layers', () => {
    const model = rebuildLayersModel(graph, WEIGHTS, { wanted: ['dense'] });
    expect(model.layers.map(layer => layer.name)).toEqual(['image', 'dense']);
  });

  test.each([
    ['Lambda', {}, 'a Lambda with Python code'],
    ['MyBlock', {}, 'a subclassed layer or one of a class that is not known here'],
    ['keras.ops.Fft', {}, 'the operation keras.ops.Fft, which is not among the known ones'],
    [
      'TFOpLambda',
      { function: 'signal.fft' },
      'the TensorFlow function `tf.signal.fft`, which is not among the known ones',
    ],
    ['Dense', { activation: 'my_own' }, 'the activation "my_own", which is not one of Keras\' own'],
    ['Conv2D', { activation: 'relu' }, undefined],
    ['TFOpLambda', { function: 'math.multiply' }, undefined],
  ])('is known without building: %s %o', (className, config, reason) => {
    expect(unsupportedReason({ name: 'x', className, config, dialect: 2 })).toBe(reason);
  });
});

describe('weights', () => {
  test('of another shape are refused with what was expected and what came', () => {
    const wrong = new Map([['dense', [{ name: 'kernel', shape: [5, 3], data: new Float32Array(15) }]]]);
    const { message } = refusalOf(() => rebuildLayersModel(chain(DENSE), wrong));
    expect(message).toContain('kernel [4, 3]');
    expect(message).toContain('kernel [5, 3]');
  });

  test('that are missing, or too many, are refused', () => {
    expect(refusalOf(() => rebuildLayersModel(chain(DENSE), NO_WEIGHTS)).message).toContain('received none');
    const unbiased = chain({ ...DENSE, config: { ...DENSE.config, use_bias: false } });
    expect(refusalOf(() => rebuildLayersModel(unbiased, WEIGHTS)).message).toContain('bias [3]');
  });

  test('are named in the order of Keras, by the config alone', () => {
    const layer = { name: 'x', dialect: 3 } as const;
    expect(weightNames({ ...layer, className: 'BatchNormalization', config: { scale: false } })).toEqual([
      'beta',
      'moving_mean',
      'moving_variance',
    ]);
    expect(weightNames({ ...layer, className: 'MultiHeadAttention', config: { use_bias: false } })).toEqual([
      'query/kernel',
      'key/kernel',
      'value/kernel',
      'attention_output/kernel',
    ]);
    expect(weightNames({ ...layer, className: 'keras.ops.Add', config: {} })).toEqual([]);
    expect(weightNames({ ...layer, className: 'MyBlock', config: {} })).toBeUndefined();
  });
});

describe('names', () => {
  test('that TensorFlow.js refuses are kept as they are', () => {
    const graph = chain({ ...DENSE, name: '_dense (1)/relu' });
    const model = rebuildLayersModel(graph, new Map([['_dense (1)/relu', WEIGHTS.get('dense') ?? []]]));
    expect(model.layers.map(layer => layer.name)).toEqual(['image', '_dense (1)/relu']);
  });

  test('count the further calls of a shared layer', () => {
    const shared = readGoldens('keras3-convolution').get('shared layer');
    if (shared === undefined) throw new Error('Expected the golden');
    const names = [...tensorNames(shared.graph).keys()];
    expect(names).toEqual(['input_0', 'input_1', 'shared', 'shared#1', 'shared#2', 'shared#3', 'add']);
    const model = rebuildLayersModel(shared.graph, shared.weights, { wanted: ['add', 'shared#1'] });
    expect(model.layers.filter(layer => layer.name === 'shared')).toHaveLength(1);
    expect(model.countParams()).toBe(3 * 3 * 3 * 3 + 3);
  });

  test('of several outputs of one layer are numbered', () => {
    const scored = readGoldens('keras3-attention').get('MultiHeadAttention with scores');
    if (scored === undefined) throw new Error('Expected the golden');
    expect([...tensorNames(scored.graph).keys()]).toEqual([
      'input_0',
      'multi_head_attention',
      'multi_head_attention#1',
    ]);
  });
});

test('open axes of the input can be fixed', () => {
  const open = readGoldens('keras3-convolution').get('Conv2D open axes');
  if (open === undefined) throw new Error('Expected the golden');
  expect(rebuildLayersModel(open.graph, open.weights).outputs[0]?.shape).toEqual([null, null, null, 4]);
  const fixed = rebuildLayersModel(open.graph, open.weights, { inputShapes: [[5, 6, 3]] });
  expect(fixed.outputs[0]?.shape).toEqual([null, 5, 6, 4]);
});

describe.each(['convolution', 'activations', 'normalization', 'spatial', 'merging', 'attention', 'operations'])(
  'a saved model of %s',
  family => {
    test.each(['keras2', 'keras3'])('by %s gives the same when it is loaded again', async keras => {
      for (const [about, { graph, weights, inputs }] of readGoldens(`${keras}-${family}`)) {
        const model = rebuildLayersModel(graph, weights);
        const loaded = await reload(model);
        const [expected, received] = [runModel(model, inputs), runModel(loaded, inputs)];
        for (const [index, value] of expected.entries()) {
          expect(relativeDifference(value, received[index] ?? value), about).toBe(0);
        }
        model.dispose();
        loaded.dispose();
      }
    });
  },
);

const lack = whyNot('tensorflow');
test.skipIf(lack)(`layers of our own learn: the loss of a transformer block falls${because(lack)}`, async () => {
  await openTensorFlowEngine();
  await tfjs().setBackend('tensorflow');
  try {
    const block = readGoldens('keras3-attention').get('transformer block');
    if (block === undefined) throw new Error('Expected the golden');
    const model = rebuildLayersModel(block.graph, block.weights);
    const x = tfjs().tensor(sampleValues([8, 5, 6]), [8, 5, 6]);
    const y = tfjs().tensor(sampleValues([8, 5, 6], 2), [8, 5, 6]);
    model.compile({ optimizer: tfjs().train.sgd(0.01), loss: 'meanSquaredError' });
    const { history } = await model.fit(x, y, { epochs: 5, verbose: 0 });
    const losses = (history.loss ?? []).map(Number);
    expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0);
  } finally {
    await useWasm();
  }
});

test('batch normalisation without gamma learns its moving statistics as Keras does', async () => {
  await useCpu();
  try {
    const axes = { config: { axis: -1, momentum: 0.9, epsilon: 0.001, center: true, scale: false } };
    const ones = { shape: [4], data: new Float32Array(4).fill(1) };
    const zeros = { shape: [4], data: new Float32Array(4) };
    const weights = [zeros, zeros, ones].map((weight, index) => ({ name: `w${index}`, ...weight }));
    const graph = chain({ name: 'norm', className: 'BatchNormalization', ...axes });
    const model = rebuildLayersModel(graph, new Map([['norm', weights]]));
    model.compile({ optimizer: tfjs().train.sgd(0.1), loss: 'meanSquaredError' });
    const x = tfjs().tensor2d(sampleValues([6, 4]), [6, 4]);
    await model.fit(x, x, { epochs: 1, batchSize: 6, verbose: 0 });
    const [, mean, variance] = model.getWeights().map(weight => Array.from(weight.dataSync()));
    const moments = tfjs().moments(x, 0);
    const batch = { mean: moments.mean.dataSync(), variance: moments.variance.dataSync() };
    for (let channel = 0; channel < 4; channel++) {
      expect(mean?.[channel]).toBeCloseTo(0.1 * (batch.mean[channel] ?? 0), 5);
      expect(variance?.[channel]).toBeCloseTo(0.9 + 0.1 * (batch.variance[channel] ?? 0), 5);
    }
  } finally {
    await useWasm();
  }
});

/** Saves the model into memory and loads it from there. */
async function reload(model: tf.LayersModel): Promise<tf.LayersModel> {
  let saved: tf.io.ModelArtifacts | undefined;
  await model.save(
    tfjs().io.withSaveHandler(async artifacts => {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    }),
  );
  if (saved === undefined) throw new Error('Expected artifacts');
  const artifacts = JSON.parse(JSON.stringify({ ...saved, weightData: undefined })) as tf.io.ModelArtifacts;
  return tfjs().loadLayersModel({ load: async () => ({ ...artifacts, weightData: saved?.weightData }) });
}
