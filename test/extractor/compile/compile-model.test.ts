// Whole models compiled: what is folded, what stays in one layout, what cannot be compiled, and what the cache keeps.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { CannotCompile } from '../../../extractor/src/compile/cannot-compile.ts';
import { compileModel } from '../../../extractor/src/compile/compile-model.ts';
import { compiledModel } from '../../../extractor/src/compile/compiled-model.ts';
import { foldKernels } from '../../../extractor/src/compile/fold.ts';
import { traceKernels } from '../../../extractor/src/compile/kernel-graph.ts';
import { lowerKernels } from '../../../extractor/src/compile/lower-kernels.ts';
import { openModel } from '../../../extractor/src/model.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { because, whyNot } from '../../support/needs.ts';
import { operatorsOf, runOnnx } from '../../support/onnx-models.ts';
import { runPython } from '../../support/python.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { useWasm } from '../small-model.ts';

const noPython = whyNot('python');

const GOLDEN = fileURLToPath(new URL('../../conformance/golden/', import.meta.url));

beforeAll(useWasm);

describe('a compiled model', () => {
  test('has batch normalisation and padding inside its convolutions, and never leaves their layout between them', async () => {
    const bytes = await compileModel({
      model: join(GOLDEN, 'mobilenet-v2-tfkeras.keras'),
      layers: ['global_average_pooling2d'],
      inputShape: [32, 32, 3],
    });
    expect(await operatorsOf(bytes)).toEqual({
      Add: 2,
      Clip: 6,
      Conv: 9,
      Flatten: 1,
      GlobalAveragePool: 1,
      Identity: 1,
      Transpose: 1,
    });
  });

  test('has one convolution where Keras has one in groups', async () => {
    const bytes = await compileModel({
      model: join(GOLDEN, 'convnext-keras.keras'),
      layers: [(await openModel(join(GOLDEN, 'convnext-keras.keras'))).table.outputs[0] ?? ''],
      inputShape: [32, 32, 3],
    });
    const { Conv = 0, Split = 0 } = await operatorsOf(bytes);
    expect({ few: Conv < 12, Split }).toEqual({ few: true, Split: 0 });
  });

  test.each([
    // As ResNet50V2 has it: ONNX Runtime itself would drop the zeros.
    { behind: 'values of any sign keeps its zeros', activate: (x: tf.Tensor) => x, pads: 1, pooled: [0, 0, 0, -5] },
    // As ResNet50 has it.
    { behind: 'a ReLU pads by itself', activate: (x: tf.Tensor) => tfjs().relu(x), pads: 0, pooled: [0, 0, 0, 0] },
    {
      behind: 'a shifted clip keeps its zeros',
      activate: (x: tf.Tensor) => x.clipByValue(-1, 6),
      pads: 1,
      pooled: [0, 0, 0, -1],
    },
  ])('a padded MaxPool behind $behind', async ({ activate, pads, pooled }) => {
    const { conv2d, maxPool, ones, pad } = tfjs();
    const around: [number, number] = [1, 1];
    // Behind a convolution channels stand first.
    const run = ([x]: readonly tf.Tensor[]): tf.Tensor[] => {
      const same = activate(conv2d(x as tf.Tensor4D, ones([1, 1, 1, 1]), 1, 'valid'));
      return [maxPool(pad(same as tf.Tensor4D, [[0, 0], around, around, [0, 0]]), 3, 2, 'valid')];
    };
    const bytes = lowerKernels(foldKernels(traceKernels([[4, 4, 1]], run)), NAMES);
    expect((await operatorsOf(bytes)).Pad ?? 0).toBe(pads);
    expect(await runOnnx(bytes, new Float32Array(16).fill(-5), [1, 4, 4, 1])).toEqual(pooled);
  });

  test('has Einstein sums of images with weights and with each other, as graph models have them', async () => {
    const weights = [1, 2, 3, 4, 5, 6];
    const run = ([image]: readonly tf.Tensor[]): tf.Tensor[] => {
      const [x, w] = [image as tf.Tensor3D, tfjs().tensor2d(weights, [3, 2])];
      return [tfjs().einsum('abc, adc -> abd', tfjs().einsum('abd,de->abe', x, w), tfjs().einsum('abd,de->abe', x, w))];
    };
    const bytes = lowerKernels(foldKernels(traceKernels([[2, 3]], run)), NAMES);
    expect((await operatorsOf(bytes)).Einsum).toBe(3);
    // Two images of two rows: each row times the weights, then all rows of an image with one another.
    const images = [1, 0, 2, 0, -1, 1, 3, 1, 0, 2, 2, 2];
    const dot = (a: readonly number[], b: readonly number[]): number =>
      a.reduce((sum, value, index) => sum + value * (b[index] ?? Number.NaN), 0);
    const projected = [0, 3, 6, 9].map(from =>
      [0, 1].map(column =>
        dot(
          images.slice(from, from + 3),
          weights.filter((_, index) => index % 2 === column),
        ),
      ),
    );
    const wanted = [projected.slice(0, 2), projected.slice(2)].flatMap(rows =>
      rows.flatMap(row => rows.map(other => dot(row, other))),
    );
    expect(await runOnnx(bytes, Float32Array.from(images), [2, 2, 3])).toEqual(wanted);
  });

  test.skipIf(noPython)(`is accepted by ONNX’ own checker, whatever layers it has${because(noPython)}`, async () => {
    const folder = await temporaryFolder();
    const files = (await readdir(GOLDEN)).filter(name => name.endsWith('.keras'));
    const paths: string[] = [];
    for (const file of files) {
      const { path: model, table } = await openModel(join(GOLDEN, file));
      const layers = table.layers.filter(layer => layer.unsupported === undefined).map(({ name }) => name);
      const path = join(folder, `${file}.onnx`);
      await writeFile(
        path,
        await compileModel({ model, layers, inputShape: table.inputShape.map(axis => axis ?? 32) }),
      );
      paths.push(path);
    }
    expect(paths.length).toBeGreaterThan(5);
    const checked = await runPython<number>(
      'import onnx\nfor path in given: onnx.checker.check_model(onnx.load(path), full_check=True)\nprint(len(given))',
      paths,
    );
    expect(checked).toBe(paths.length);
  });
});

describe('a model cannot be compiled', () => {
  const shape = [4, 4, 3];
  test.each<[string, RegExp, (image: tf.Tensor) => tf.Tensor]>([
    [
      'whose course depends on what it computes',
      /values that it computes/,
      image => (image.sum().dataSync()[0] === 0 ? image : image.neg()),
    ],
    ['that mixes the images of a batch', /number of images|images/, image => image.slice([1, 0, 0, 0], [1, 4, 4, 3])],
    [
      'that does more for more images',
      /another number of images/,
      image => {
        let sum: tf.Tensor = image;
        for (let row = 0; row < (image.shape[0] ?? 0); row++) sum = sum.add(1);
        return sum;
      },
    ],
    ['that has a kernel without a counterpart', /FFT|complex|is not lowered/, image => tfjs().topk(image, 2).values],
  ])('%s', (_, reason, run) => {
    const compile = (): unknown => {
      const graph = traceKernels([shape], ([image]) => [run(image as tf.Tensor)]);
      return lowerKernels(graph, NAMES);
    };
    expect(compile).toThrow(CannotCompile);
    expect(compile).toThrow(reason);
  });

  test('and tracing it leaves no tensor and the runtime as it was', () => {
    const before = tfjs().memory().numTensors;
    const { runKernel } = tfjs().engine();
    expect(() =>
      traceKernels([shape], ([image]) => [tfjs().tidy(() => (image as tf.Tensor).square().dataSync()) as never]),
    ).toThrow(CannotCompile);
    expect(tfjs().memory().numTensors).toBe(before);
    expect(tfjs().engine().runKernel).toBe(runKernel);
  });
});

describe('the cache', () => {
  const model = join(GOLDEN, 'sequential-keras.keras');

  test('keeps a compiled model for its model, layers, input shape and kind of convolutions', async () => {
    const cache = await temporaryFolder();
    const { sha256 } = await openModel(model);
    const options = { model, sha256, layers: ['dense_1'], winograd: true, cache };
    const inputShape = (await openModel(model)).table.inputShape.map(axis => axis ?? 32);
    const first = await compiledModel({ ...options, inputShape });
    // The file is not needed any more: it would be missed if it was compiled again.
    const again = await compiledModel({ ...options, inputShape, model: join(cache, 'gone.keras') });
    expect([first.isNew, again]).toEqual([true, { ...first, isNew: false }]);
    const other = await compiledModel({ ...options, inputShape, layers: ['softmax'] });
    expect(other.sha256).not.toBe(first.sha256);
    // Without wide convolutions, plain and filtered are the same file: asked for twice, compiled twice.
    const plain = { ...options, inputShape, winograd: false, model: join(cache, 'gone.keras') };
    await expect(compiledModel(plain)).rejects.toMatchObject({ code: 'model-unreadable' });
  });

  test('keeps nothing of a model that is refused', async () => {
    const cache = await temporaryFolder();
    const options = { model, sha256: 'x', layers: ['nothing'], inputShape: [32, 32, 3], cache };
    await expect(compiledModel(options)).rejects.toMatchObject({ code: 'unknown-layer' });
    expect(await readdir(join(cache, 'compiled'))).toEqual([]);
  });
});

const NAMES = { inputNames: ['image'], outputNames: ['out'] };
