// 3 × 3 convolutions by minimal filtering: the numbers of TensorFlow.js' own kernel, and which convolutions are written so.
import type * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { foldKernels } from '../../../extractor/src/compile/fold.ts';
import { traceKernels } from '../../../extractor/src/compile/kernel-graph.ts';
import { lowerKernels } from '../../../extractor/src/compile/lower-kernels.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { because, whyNot } from '../../support/needs.ts';
import { onnxFile, operatorsOf, runOnnx } from '../../support/onnx-models.ts';
import { runPython } from '../../support/python.ts';
import { relativeDifference } from '../numbers.ts';
import { useWasm } from '../small-model.ts';

const noPython = whyNot('python');

beforeAll(useWasm);

type Run = (image: tf.Tensor4D) => tf.Tensor;
type Pad = Parameters<typeof tf.conv2d>[3];

const CHANNELS = 64;

function filter(shape: [number, number, number, number]): tf.Tensor4D {
  return tfjs().randomUniform(shape, -1, 1, 'float32', 7);
}

function convolve(pad: Pad): Run {
  return image => tfjs().conv2d(image, filter([3, 3, CHANNELS, 80]), 1, pad);
}

function compile(shape: readonly number[], run: Run, winograd = true): Uint8Array {
  const kernels = traceKernels([shape], ([image]) => [run(image as tf.Tensor4D)]);
  return lowerKernels(foldKernels(kernels), { inputNames: ['image'], outputNames: ['out'], winograd });
}

/** Interleaving the pixels takes three. */
async function isFiltered(bytes: Uint8Array): Promise<boolean> {
  return (await operatorsOf(bytes)).Concat === 3;
}

describe('gives the numbers of a plain convolution', () => {
  test.each<[string, [number, number], Run]>([
    ['of an even size', [14, 16], convolve('same')],
    ['of an odd size', [13, 15], convolve('same')],
    ['of one row', [1, 400], convolve('same')],
    ['without padding, of an odd size', [15, 17], convolve('valid')],
    ['without padding, of an even size', [16, 18], convolve('valid')],
    [
      'padded unevenly',
      [13, 14],
      convolve([
        [0, 0],
        [2, 0],
        [0, 3],
        [0, 0],
      ]),
    ],
    [
      'with a bias, an activation and a sum',
      [14, 13],
      image => {
        const { fused, randomUniform } = tfjs();
        const [bias, around] = [randomUniform([CHANNELS], -9, 9, 'float32', 8) as tf.Tensor1D, filter([1, 1, 64, 64])];
        const same = fused.conv2d({ x: image, filter: around, strides: 1, pad: 'same', activation: 'relu' });
        const threes = filter([3, 3, CHANNELS, CHANNELS]);
        const x = fused.conv2d({ x: same, filter: threes, strides: 1, pad: 'same', bias, activation: 'relu6' });
        return x.add(same);
      },
    ],
  ])('%s', async (_, [height, width], run) => {
    const image = tfjs().randomUniform([2, height, width, CHANNELS], -1, 1, 'float32', 9) as tf.Tensor4D;
    const expected = run(image);
    const bytes = compile([height, width, CHANNELS], run);
    expect(await isFiltered(bytes)).toBe(true);
    const out = await runOnnx(bytes, (await image.data()) as Float32Array, image.shape);
    const data = (await expected.data()) as Float32Array;
    const wanted = { dtype: 'float32', shape: expected.shape, data } as const;
    expect(out).toHaveLength(data.length);
    expect(relativeDifference(wanted, { ...wanted, data: Float32Array.from(out) })).toBeLessThan(5e-6);
  });

  test.skipIf(noPython)(`and is accepted by ONNX' own checker, shapes and all${because(noPython)}`, async () => {
    const shape = await runPython<readonly unknown[]>(
      [
        'import onnx',
        'model = onnx.load(given)',
        'onnx.checker.check_model(model, full_check=True)',
        'print(json.dumps([axis.dim_value or axis.dim_param for axis in model.graph.output[0].type.tensor_type.shape.dim]))',
      ].join('\n'),
      await onnxFile(compile([13, 14, CHANNELS], convolve('same'))),
    );
    expect(shape).toEqual(['rows', 13, 14, 80]);
  });
});

describe('is not taken', () => {
  test.each<[string, readonly number[], Run]>([
    ['with strides', [28, 28, 64], image => tfjs().conv2d(image, filter([3, 3, 64, 64]), 2, 'same')],
    ['with dilations', [14, 14, 64], image => tfjs().conv2d(image, filter([3, 3, 64, 64]), 1, 'same', 'NHWC', 2)],
    ['for another size of filter', [14, 14, 64], image => tfjs().conv2d(image, filter([5, 3, 64, 64]), 1, 'same')],
    ['for few channels', [28, 28, 48], image => tfjs().conv2d(image, filter([3, 3, 48, 64]), 1, 'same')],
    ['for channels that fill no block', [28, 28, 72], image => tfjs().conv2d(image, filter([3, 3, 72, 64]), 1, 'same')],
    ['for small images', [8, 8, 64], image => tfjs().conv2d(image, filter([3, 3, 64, 64]), 1, 'same')],
    [
      'for large images of few channels',
      [98, 98, 64],
      image => tfjs().conv2d(image, filter([3, 3, 64, 64]), 1, 'same'),
    ],
    [
      'in three dimensions',
      [3, 3, 64, 64],
      image => tfjs().conv3d(image as tf.Tensor as tf.Tensor5D, tfjs().randomUniform([3, 3, 64, 64, 64]), 1, 'same'),
    ],
    [
      'in groups',
      [14, 14, 128],
      image => {
        const parts = tfjs().split(image, 2, 3) as tf.Tensor4D[];
        return tfjs().concat(
          parts.map(part => tfjs().conv2d(part, filter([3, 3, 64, 64]), 1, 'same')),
          3,
        );
      },
    ],
  ])('%s', async (_, shape, run) => {
    expect(await isFiltered(compile(shape, run))).toBe(false);
  });

  test('unless it is asked for', async () => {
    expect(await isFiltered(compile([14, 14, 64], convolve('same'), false))).toBe(false);
  });
});
