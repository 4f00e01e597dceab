// What every engine must do, whatever runs underneath: one suite, called by the test of each engine.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine, Extractor } from '../../../extractor/src/engine.ts';
import { toTensor } from '../../../extractor/src/preprocess/to-tensor.ts';
import { Recipe } from '../../../shared/src/recipe.ts';
import { sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';
import { because } from '../../support/needs.ts';
import { relativeDifference } from '../numbers.ts';
import { sampleValues } from '../small-model.ts';

export interface EngineUnderTest {
  open(): Promise<Engine>;
  /** Path of a model that stays for the whole suite. */
  model(): Promise<string>;
  readonly inputShape: readonly number[];
  /** Some of its layers, with the shape of one sample's output. */
  readonly layers: readonly (readonly [name: string, shape: readonly number[]])[];
  /** How far a row may move with the size of its batch, relative to the largest value. */
  readonly batchTolerance: number;
  /** Tensors (or other handles) that the runtime holds; undefined where it keeps no count. */
  held?(): number;
  /** A shape that the model must refuse, if it refuses any. */
  readonly wrongInputShape?: readonly number[];
}

export function testEngine(title: string, subject: EngineUnderTest): void {
  const names = subject.layers.map(([name]) => name);
  const uncounted = subject.held === undefined ? 'an engine that does not count what it holds' : undefined;
  const anyShape = subject.wrongInputShape === undefined ? 'a model that takes any shape' : undefined;

  describe(`${title} keeps the engine contract:`, () => {
    let engine: Engine;
    let path: string;
    let extractor: Extractor;

    beforeAll(async () => {
      path = await subject.model();
      engine = await subject.open();
      extractor = await load(names);
    });
    afterAll(async () => {
      await extractor.close();
    });

    const load = (layers: readonly string[]): Promise<Extractor> =>
      engine.load({ model: path, layers, inputShape: subject.inputShape });

    test('it names the versions that can change a bit', () => {
      for (const [name, version] of Object.entries(engine.versions())) {
        expect(name).not.toBe('');
        expect(version).toMatch(/^\d+\.\d+/);
      }
    });

    test('outputs are described in the order asked for', () => {
      expect(extractor.inputShape).toEqual(subject.inputShape);
      expect(extractor.outputs).toEqual(subject.layers.map(([name, shape]) => ({ name, dtype: 'float32', shape })));
    });

    test('another order gives the same values in that order', async () => {
      const reversed = await load([...names].reverse());
      const input = batchOf(subject.inputShape, 3);
      const straight = await extractor.run(input);
      expect(await reversed.run(input)).toEqual([...straight].reverse());
      await reversed.close();
    });

    test.each([1, 2, 7, 32, 33])('a batch of %i gives as many rows, each as if it were alone', async rows => {
      await extractor.warmUp(rows);
      const all = await extractor.run(batchOf(subject.inputShape, rows));
      const last = await extractor.run(batchOf(subject.inputShape, 1, rows - 1));
      subject.layers.forEach(([name, shape], index) => {
        const tensor = at(all, index);
        expect(tensor.shape, name).toEqual([rows, ...shape]);
        expect(tensor.data, name).toHaveLength(rows * sizeOfShape(shape));
        expect(relativeDifference(lastRow(tensor), at(last, index)), name).toBeLessThanOrEqual(subject.batchTolerance);
      });
    });

    test('what is taken of the outputs, some rows at a time, comes back with all rows joined', async () => {
      const input = batchOf(subject.inputShape, 7);
      const whole = await extractor.run(input);
      let rowsSeen = 0;
      const taken = await extractor.run(input, outputs => {
        const [rows = 0] = at(outputs, 0).shape;
        expect(outputs.map(({ shape }) => shape)).toEqual(subject.layers.map(([, shape]) => [rows, ...shape]));
        rowsSeen += rows;
        return outputs.map(({ data, shape: [, ...rest] }) => {
          const size = sizeOfShape(rest);
          const firsts = Float32Array.from({ length: rows }, (_, row) => data[row * size] as number);
          return { dtype: 'float32', shape: [rows, 1], data: firsts };
        });
      });
      expect(rowsSeen).toBe(7);
      expect(taken.map(({ shape }) => shape)).toEqual(names.map(() => [7, 1]));
      expect(taken.map(({ data }) => [...data])).toEqual(
        whole.map(({ data }) => Array.from({ length: 7 }, (_, row) => data[(row * data.length) / 7])),
      );
    });

    test('levels of 8 bits give what the values that the recipe makes of them give', async () => {
      const [height = 0, width = 0, channels = 0] = subject.inputShape;
      const shape = [7, ...subject.inputShape];
      const order = channels === 1 ? 'gray' : 'bgr';
      const recipe = Recipe.parse({ height, width, channels: order, scale: 1 / 200, mean: 0.1, resize: 'pillow:box' });
      const data = Uint8Array.from({ length: sizeOfShape(shape) }, (_, i) => (i * 7) % 256);
      const pixels = { data, width, height: 7 * height, channels: channels === 1 ? 1 : 3 } as const;
      const expected = await extractor.run({ dtype: 'float32', shape, data: toTensor(pixels, recipe) });
      const first = await extractor.run({ dtype: 'uint8', shape, data, recipe });
      await extractor.run({ dtype: 'uint8', shape, data: data.map(level => 255 - level), recipe });
      expect(first).toEqual(expected);
    });

    test('values of one run stay when the next one comes', async () => {
      const first = await extractor.run(batchOf(subject.inputShape, 2));
      const copies = first.map(tensor => tensor.data.slice());
      await extractor.run(batchOf(subject.inputShape, 2, 5));
      expect(first.map(tensor => tensor.data)).toEqual(copies);
    });

    test.skipIf(uncounted)(`runs leave nothing behind, and closing gives all back${because(uncounted)}`, async () => {
      const before = subject.held?.();
      const other = await load(names);
      const loaded = subject.held?.();
      for (let run = 0; run < 5; run++) await other.run(batchOf(subject.inputShape, 4));
      expect(subject.held?.()).toBe(loaded);
      await other.close();
      expect(subject.held?.()).toBe(before);
    });

    test('closing twice is one closing, and a run after it fails', async () => {
      const other = await load(names.slice(0, 1));
      await other.close();
      await other.close();
      await expect(other.run(batchOf(subject.inputShape, 1))).rejects.toThrow('it was closed');
      expect(await extractor.run(batchOf(subject.inputShape, 1))).toHaveLength(names.length);
    });

    test('an unknown layer is refused and leaves nothing behind', async () => {
      const before = subject.held?.();
      const unknown = `${names[0]}_`;
      await expect(load([...names, unknown])).rejects.toMatchObject({
        name: 'Refusal',
        code: 'unknown-layer',
        message: `Expected the name of a layer but received '${unknown}'`,
        hint: expect.stringContaining(`'${names[0]}'`),
      });
      expect(subject.held?.()).toBe(before);
    });

    test.skipIf(anyShape)(`an input shape that the model cannot take is refused${because(anyShape)}`, async () => {
      const wrong = { model: path, layers: names, inputShape: subject.wrongInputShape ?? [] };
      await expect(engine.load(wrong)).rejects.toMatchObject({ name: 'Refusal', code: 'recipe-mismatch' });
    });

    test.skipIf(anyShape)(`a batch of another shape is refused${because(anyShape)}`, async () => {
      const [height = 0, ...rest] = subject.inputShape;
      await expect(extractor.run(batchOf([height + 1, ...rest], 1))).rejects.toThrow('Expected an input of shape');
    });
  });
}

/** `rows` samples that differ, beginning with the one numbered `first`. */
export function batchOf(inputShape: readonly number[], rows: number, first = 0): TensorData {
  const size = sizeOfShape(inputShape);
  const data = new Float32Array(rows * size);
  for (let row = 0; row < rows; row++) data.set(sampleValues(inputShape, first + row + 1), row * size);
  return { dtype: 'float32', shape: [rows, ...inputShape], data };
}

function lastRow(tensor: TensorData): TensorData {
  const [rows = 1, ...shape] = tensor.shape;
  return { dtype: 'float32', shape: [1, ...shape], data: tensor.data.subarray((rows - 1) * sizeOfShape(shape)) };
}

function at(tensors: readonly TensorData[], index: number): TensorData {
  const tensor = tensors[index];
  if (tensor === undefined) throw new Error(`Expected an output ${index}`);
  return tensor;
}
