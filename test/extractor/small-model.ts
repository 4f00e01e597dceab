// Small models with fixed random weights, and ways to save them as the converters do: for the extractor's tests.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { openWasmEngine } from '../../extractor/src/engines/wasm.ts';
import { tfjs } from '../../extractor/src/tfjs.ts';

/** Makes the wasm backend current: it is on every machine, and quiet. */
export async function useWasm(): Promise<void> {
  await openWasmEngine();
  await tfjs().setBackend('wasm');
}

/** Makes the plain JavaScript backend current: slow, but it can train. */
export async function useCpu(): Promise<void> {
  // Keeps its advertisement for tfjs-node out of the test's output.
  tfjs().env().set('IS_TEST', true);
  await tfjs().setBackend('cpu');
}

export const SMALL_INPUT = [12, 10, 3] as const;

/**
 * Convolution, batch normalisation, a residual sum, pooling and two dense layers.
 * @param input null for axes that are left open
 */
export function smallModel(input: readonly (number | null)[] = SMALL_INPUT): tf.LayersModel {
  const { input: createInput, layers, model, initializers } = tfjs();
  let seed = 7;
  const random = () => initializers.randomNormal({ mean: 0, stddev: 0.4, seed: seed++ });
  const conv = (name: string, filters: number, strides = 1) =>
    layers.conv2d({
      name,
      filters,
      strides,
      kernelSize: 3,
      padding: 'same',
      kernelInitializer: random(),
      biasInitializer: random(),
    });
  const image = createInput({ shape: [...input], name: 'image' });
  const stem = conv('stem', 6, 2).apply(image) as tf.SymbolicTensor;
  const normalised = layers
    .batchNormalization({
      name: 'stem_bn',
      betaInitializer: random(),
      movingMeanInitializer: random(),
      movingVarianceInitializer: initializers.constant({ value: 1.5 }),
    })
    .apply(stem) as tf.SymbolicTensor;
  const relu = layers.reLU({ name: 'stem_relu' }).apply(normalised) as tf.SymbolicTensor;
  const block = conv('block_conv', 6).apply(relu) as tf.SymbolicTensor;
  const sum = layers.add({ name: 'block_add' }).apply([relu, block]) as tf.SymbolicTensor;
  const pool = layers.globalAveragePooling2d({ name: 'pool' }).apply(sum) as tf.SymbolicTensor;
  const dense = layers
    .dense({ name: 'embedding', units: 8, kernelInitializer: random() })
    .apply(pool) as tf.SymbolicTensor;
  const scores = layers.dense({ name: 'scores', units: 3, activation: 'softmax', kernelInitializer: random() });
  return model({ inputs: image, outputs: scores.apply(dense) as tf.SymbolicTensor, name: 'small' });
}

export const SMALL_LAYERS = [
  'image',
  'stem',
  'stem_bn',
  'stem_relu',
  'block_conv',
  'block_add',
  'pool',
  'embedding',
  'scores',
];

export interface SaveOptions {
  /** Bytes of a weight file; weights cross from one into the next. @default all in one */
  readonly shardBytes?: number;
  readonly quantization?: 'uint8' | 'uint16' | 'float16';
  /** Keys beside topology and manifest, as newer converters write them. @default format and generatedBy */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** Saves a model as model.json and weight files; gives the path of model.json. */
export async function saveSmallModel(
  model: tf.LayersModel,
  folder: string,
  options: SaveOptions = {},
): Promise<string> {
  const artifacts = await captureArtifacts(model);
  const packed = packWeights(artifacts, options.quantization);
  const shardBytes = options.shardBytes ?? Math.max(packed.bytes.length, 1);
  const count = Math.max(1, Math.ceil(packed.bytes.length / shardBytes));
  const paths = Array.from({ length: count }, (_, i) => `group1-shard${i + 1}of${count}.bin`);
  await mkdir(folder, { recursive: true });
  for (const [i, path] of paths.entries()) {
    await writeFile(join(folder, path), packed.bytes.subarray(i * shardBytes, (i + 1) * shardBytes));
  }
  const file = join(folder, 'model.json');
  const extra = options.extra ?? { format: 'layers-model', generatedBy: 'test' };
  const json = {
    ...extra,
    modelTopology: artifacts.modelTopology,
    weightsManifest: [{ paths, weights: packed.weights }],
  };
  await writeFile(file, JSON.stringify(json));
  return file;
}

async function captureArtifacts(model: tf.LayersModel): Promise<tf.io.ModelArtifacts> {
  let captured: tf.io.ModelArtifacts | undefined;
  await model.save(
    tfjs().io.withSaveHandler(async artifacts => {
      captured = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    }),
  );
  if (captured === undefined) throw new Error('Expected the model to be saved');
  return captured;
}

function packWeights(
  artifacts: tf.io.ModelArtifacts,
  quantization: SaveOptions['quantization'],
): { readonly weights: readonly unknown[]; readonly bytes: Uint8Array } {
  const joined = tfjs().io.CompositeArrayBuffer.join(artifacts.weightData);
  const parts: Uint8Array[] = [];
  let offset = 0;
  const weights = (artifacts.weightSpecs ?? []).map(spec => {
    const size = spec.shape.reduce((product, axis) => product * axis, 1);
    const values = new Float32Array(joined, offset, size);
    offset += size * 4;
    const { bytes, entry } = quantise(values, quantization);
    parts.push(bytes);
    return { name: spec.name, shape: spec.shape, dtype: spec.dtype, ...entry };
  });
  return { weights, bytes: Buffer.concat(parts) };
}

function quantise(values: Float32Array, kind: SaveOptions['quantization']): { bytes: Uint8Array; entry: object } {
  if (kind === undefined) return { bytes: new Uint8Array(values.slice().buffer), entry: {} };
  if (kind === 'float16') {
    const halves = Uint16Array.from(values, toHalf);
    return {
      bytes: new Uint8Array(halves.buffer),
      entry: { quantization: { dtype: kind, original_dtype: 'float32' } },
    };
  }
  const levels = kind === 'uint8' ? 255 : 65_535;
  const min = Math.min(...values);
  const scale = (Math.max(...values) - min) / levels || 1;
  const steps = Array.from(values, value => Math.round((value - min) / scale));
  const stored = kind === 'uint8' ? Uint8Array.from(steps) : new Uint8Array(Uint16Array.from(steps).buffer);
  return { bytes: stored, entry: { quantization: { dtype: kind, min, scale, original_dtype: 'float32' } } };
}

/** Truncates a normal float32 to float16; tiny values become 0. */
function toHalf(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;
  const exponent = ((bits >>> 23) & 0xff) - 112;
  const sign = (bits >>> 16) & 0x8000;
  return exponent <= 0 ? sign : sign | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}

/** Values between 0 and 1 that look random and are the same in every run. */
export function sampleValues(shape: readonly number[], seed = 1): Float32Array {
  const size = shape.reduce((product, axis) => product * axis, 1);
  return Float32Array.from({ length: size }, (_, i) => (Math.imul(i + seed * 7919, 2_654_435_761) >>> 8) / 2 ** 24);
}
