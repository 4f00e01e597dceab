// The committed small models with Keras' own outputs, and the images that both sides draw. For the tests of this folder.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { distanceBetween, judge } from '../../extractor/src/agreement.ts';
import type { Extractor } from '../../extractor/src/engine.ts';
import { sizeOfShape, type TensorData } from '../../shared/src/tensor.ts';

const FOLDER = fileURLToPath(new URL('./golden/', import.meta.url));

export interface GoldenLayer {
  readonly name: string;
  readonly className: string;
  /** With the rows. */
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export interface Golden {
  /** The model's name and its Keras, such as resnet-keras. */
  readonly name: string;
  /** Absolute paths: one model, in one or two file formats. */
  readonly files: readonly string[];
  readonly inputShape: readonly number[];
  readonly input: TensorData;
  readonly layers: readonly GoldenLayer[];
}

interface GoldenFile {
  readonly files: readonly string[];
  readonly inputShape: readonly [number, number, number];
  /** value = pixel × scale + offset */
  readonly scale: number;
  readonly offset: number;
  readonly seed: number;
  /** Images that are drawn before those of the comparison. */
  readonly skip: number;
  readonly rows: number;
  readonly layers: readonly (Omit<GoldenLayer, 'values'> & { readonly values: string })[];
}

export function goldenNames(): readonly string[] {
  return readdirSync(FOLDER)
    .filter(file => file.endsWith('.json'))
    .map(file => file.replace(/\.json$/, ''))
    .sort();
}

export function readGolden(name: string): Golden {
  const golden = JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as GoldenFile;
  const { inputShape, scale, offset, rows } = golden;
  const pixels = drawImages(golden.skip + rows, inputShape[0], inputShape[1], golden.seed);
  const compared = pixels.subarray(golden.skip * sizeOfShape(inputShape));
  return {
    name,
    files: golden.files.map(file => join(FOLDER, file)),
    inputShape,
    input: {
      dtype: 'float32',
      shape: [rows, ...inputShape],
      data: Float32Array.from(compared, pixel => pixel * scale + offset),
    },
    layers: golden.layers.map(layer => ({ ...layer, values: decodeFloats(layer.values) })),
  };
}

/** What the gate says against each layer; empty where the extractor's outputs are Keras' own. */
export async function problemsOf(golden: Golden, extractor: Pick<Extractor, 'run'>): Promise<readonly string[]> {
  const tensors = await extractor.run(golden.input);
  return golden.layers.flatMap((layer, index) => {
    const tensor = tensors[index];
    if (tensor === undefined || String(tensor.shape) !== String(layer.shape)) {
      return [`${layer.name}: expected shape [${layer.shape.join(', ')}] but received [${tensor?.shape.join(', ')}]`];
    }
    const distance = distanceBetween(tensor.data, layer.values, golden.input.shape[0] ?? 1);
    const reason = distance === undefined ? 'another number of values' : judge(distance).reason;
    return reason === undefined ? [] : [`${layer.name} (${layer.className}): ${reason}`];
  });
}

/** Number by number what draw_images of golden/make_goldens.py draws: RGB, one image after the other. */
export function drawImages(count: number, height: number, width: number, seed: number): Uint8Array {
  let state = seed;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 16) % limit;
  };
  const pixels = new Uint8Array(count * height * width * 3);
  for (let image = 0; image < count; image++) {
    const fill = (top: number, bottom: number, left: number, right: number): void => {
      const colour = [below(256), below(256), below(256)];
      for (let y = top; y < Math.min(bottom, height); y++) {
        for (let x = left; x < Math.min(right, width); x++) pixels.set(colour, ((image * height + y) * width + x) * 3);
      }
    };
    fill(0, height, 0, width);
    for (let shape = 0; shape < 12; shape++) {
      const top = below(height);
      const left = below(width);
      const bottom = top + 1 + below(height >> 1);
      fill(top, bottom, left, left + 1 + below(width >> 1));
    }
  }
  return pixels;
}

function decodeFloats(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64');
  const values = new Float32Array(bytes.length / 4);
  for (let i = 0; i < values.length; i++) values[i] = bytes.readFloatLE(4 * i);
  return values;
}
