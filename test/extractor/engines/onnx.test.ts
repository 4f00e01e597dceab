// The onnx engine: the contract, layouts, files with fixed batches, and the reference outputs of a real model.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { afterAll, describe, expect, test } from 'vitest';
import { openOnnxEngine } from '../../../extractor/src/engines/onnx.ts';
import { readFields } from '../../../extractor/src/models/protobuf.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { fromTensorData, toTensorData } from '../../../extractor/src/tfjs-tensors.ts';
import type { TensorData } from '../../../shared/src/tensor.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { relativeDifference } from '../numbers.ts';
import {
  BIAS,
  floatTensor,
  intsAttribute,
  KERNEL,
  node,
  onnxModel,
  type SmallOnnxOptions,
  smallOnnx,
  valueInfo,
} from '../onnx-model.ts';
import { missing, ONNX_MODELS, whyNoShared } from '../shared-material.ts';
import { useWasm } from '../small-model.ts';
import { batchOf, testEngine } from './engine-conformance.ts';

const INPUT = [8, 6, 3];

describe.each<[string, SmallOnnxOptions]>([
  ['onnx', {}],
  ['onnx, on a file that takes one image at a time,', { inputDims: [1, 3, 8, 6] }],
  ['onnx, on a file that takes four images at a time,', { inputDims: [4, 3, 8, 6] }],
  [
    'onnx, on a file with open height and width and weights among its inputs,',
    { inputDims: [null, 3, null, null], weightsAsInputs: true },
  ],
  ['onnx, on a file whose reshape takes one image only,', { reshapeRows: 1 }],
])('with %s', (title, options) => {
  testEngine(title, {
    open: openOnnxEngine,
    model: async () => {
      const folder = await mkdtemp(join(tmpdir(), 'layertap-onnx-'));
      afterAll(() => rm(folder, { recursive: true, force: true }));
      return saveOnnx(folder, options);
    },
    inputShape: INPUT,
    wrongInputShape: [8, 6, 1],
    layers: [
      ['scores', [5]],
      ['relu', [8, 6, 4]],
      ['image', INPUT],
      ['pool', [1, 1, 4]],
      ['flat', [4]],
    ],
    batchTolerance: 1e-6,
  });
});

test('a convolution has its channels last, and the values that TensorFlow.js gives', async () => {
  const extractor = await load(await saveOnnx(await temporaryFolder(), {}), ['conv']);
  const input = batchOf(INPUT, 3);
  const [received] = await extractor.run(input);
  await extractor.close();
  await useWasm();
  const kernel = tfjs().tensor4d(KERNEL, [4, 3, 3, 3]).transpose<tf.Tensor4D>([2, 3, 1, 0]);
  const expected = tfjs()
    .conv2d(fromTensorData(input) as tf.Tensor4D, kernel, 1, 'same')
    .add(tfjs().tensor1d(BIAS));
  expect(received?.shape).toEqual([3, 8, 6, 4]);
  expect(relativeDifference(toTensorData(expected), received as TensorData)).toBeLessThan(1e-6);
});

test('the number of threads changes no value', async () => {
  const path = await saveOnnx(await temporaryFolder(), {});
  const engine = await openOnnxEngine({ threads: 1 });
  const single = await engine.load({ model: path, layers: ['scores'], inputShape: INPUT });
  const many = await load(path, ['scores']);
  const input = batchOf(INPUT, 4);
  expect(await single.run(input)).toEqual(await many.run(input));
});

test('a tensor without one row per image is refused', async () => {
  const path = await saveGraph([node('Transpose', ['image'], 'turned', [intsAttribute('perm', [1, 0, 2, 3])])]);
  await expect(load(path, ['turned'])).rejects.toMatchObject({
    code: 'unknown-layer',
    message: "Expected a layer with one row per image but 'turned' gives [3, 2, 8, 6] for 2",
  });
});

test('weights, and what is made of weights alone, are no layers', async () => {
  const path = await saveGraph([node('Neg', ['kernel'], 'made'), node('Conv', ['image', 'made'], 'conv')]);
  for (const name of ['kernel', 'made']) {
    await expect(load(path, [name])).rejects.toMatchObject({
      code: 'unknown-layer',
      message: `Expected the name of a layer but received '${name}'`,
    });
  }
});

test.skipIf(missing(ONNX_MODELS)).each([0, 1, 2])(
  `the MNIST model gives its authors' reference output %i${whyNoShared(ONNX_MODELS)}`,
  async set => {
    const folder = join(ONNX_MODELS, 'mnist-8');
    const extractor = await load(join(folder, 'model.onnx'), ['Plus214_Output_0'], [28, 28, 1]);
    const pixels = await readRaw(join(folder, `test_data_set_${set}/input_0.pb`));
    const [received] = await extractor.run({ dtype: 'float32', shape: [1, 28, 28, 1], data: pixels });
    const expected = await readRaw(join(folder, `test_data_set_${set}/output_0.pb`));
    expect(
      relativeDifference({ dtype: 'float32', shape: [1, 10], data: expected }, received as TensorData),
    ).toBeLessThan(1e-5);
  },
);

test.skipIf(missing(ONNX_MODELS))(
  `a face detector for one image at a time takes 3, and a text classifier any size${whyNoShared(ONNX_MODELS)}`,
  async () => {
    const detector = await load(join(ONNX_MODELS, 'version-RFB-320.onnx'), ['247', 'scores', 'boxes'], [240, 320, 3]);
    expect(detector.outputs.map(output => output.shape)).toEqual([
      [120, 160, 16],
      [4420, 2],
      [4420, 4],
    ]);
    expect((await detector.run(batchOf([240, 320, 3], 3))).map(output => output.shape[0])).toEqual([3, 3, 3]);
    await detector.close();
    const classifier = await load(
      join(ONNX_MODELS, 'ch_ppocr_mobile_v2.0_cls_infer.onnx'),
      ['softmax_0.tmp_0'],
      [48, 192, 3],
    );
    const [scores] = await classifier.run(batchOf([48, 192, 3], 2));
    expect(scores?.shape).toEqual([2, 2]);
    expect((scores?.data[0] ?? 0) + (scores?.data[1] ?? 0)).toBeCloseTo(1, 5);
    await classifier.close();
  },
);

async function load(model: string, layers: readonly string[], inputShape: readonly number[] = INPUT) {
  const engine = await openOnnxEngine();
  return engine.load({ model, layers, inputShape });
}

/** Nodes on an `image` of 3 × 8 × 6 and a `kernel`. */
async function saveGraph(nodes: readonly Uint8Array[], image = valueInfo('image', [null, 3, 8, 6])): Promise<string> {
  const path = join(await temporaryFolder(), 'graph.onnx');
  const weights = [floatTensor('kernel', [4, 3, 3, 3], KERNEL)];
  await writeFile(path, onnxModel({ nodes, weights, inputs: [image], outputs: [valueInfo('image', [])] }));
  return path;
}

async function saveOnnx(folder: string, options: SmallOnnxOptions): Promise<string> {
  const path = join(folder, 'small.onnx');
  await writeFile(path, smallOnnx(options));
  return path;
}

/** The float values of a TensorProto file. */
async function readRaw(path: string): Promise<Float32Array> {
  const raw = [...readFields(await readFile(path))].find(field => field.number === 9);
  if (raw === undefined) throw new Error(`Expected raw values in ${path}`);
  return new Float32Array(Uint8Array.from(raw.bytes).buffer);
}
