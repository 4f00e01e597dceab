// What a worker compares its processor by: recorded small, and told from what differs.
import { describe, expect, test } from 'vitest';
import { checkAnswers, recordAnswers } from '../../../extractor/src/compile/answers.ts';
import { fixedImages } from '../../../extractor/src/compile/fixed-images.ts';
import type { Extractor } from '../../../extractor/src/engine.ts';
import { CompiledAnswers } from '../../../shared/src/compiled-record.ts';
import { Recipe } from '../../../shared/src/recipe.ts';
import type { TensorData } from '../../../shared/src/tensor.ts';

const RECIPE = Recipe.parse({ width: 8, height: 6, scale: 1 / 255 });

function output(rows: number, size: number, value: (index: number) => number): TensorData {
  return {
    dtype: 'float32',
    shape: [rows, size],
    data: Float32Array.from({ length: rows * size }, (_, i) => value(i)),
  };
}

/** Gives these outputs, whatever it is asked. */
function extractorOf(...outputs: readonly TensorData[]): Extractor {
  return {
    inputShape: [6, 8, 3],
    outputs: outputs.map(({ shape: [, ...shape] }, index) => ({ name: `layer${index}`, dtype: 'float32', shape })),
    warmUp: async () => undefined,
    run: async () => outputs,
    close: async () => undefined,
  };
}

const wave = (index: number): number => Math.sin(index) * 10;

describe('recordAnswers', () => {
  test('keeps at most two images and a megabyte, whatever the layers', () => {
    const outputs = [output(16, 300_000, wave), output(16, 100_352, wave), output(16, 7, wave)];
    const answers = recordAnswers('tensorflow', outputs, []);
    expect(answers.rows).toBe(2);
    expect(answers.layers.map(({ size }) => size)).toEqual([300_000, 100_352, 7]);
    const text = JSON.stringify(answers);
    expect(text.length).toBeLessThanOrEqual(1_000_000);
    expect(text.length).toBeGreaterThan(500_000);
    expect(CompiledAnswers.parse(JSON.parse(text))).toEqual(answers);
  });

  test('is the same for the first images, however many are asked for', () => {
    const few = fixedImages(RECIPE, 2).data;
    expect(fixedImages(RECIPE, 5).data.slice(0, few.length)).toEqual(few);
  });
});

describe('checkAnswers', () => {
  const wanted = [output(2, 300_000, wave), output(2, 5, wave)];
  const answers = recordAnswers('tensorflow', wanted, []);

  test('takes the same answers, and such as another processor rounds them', async () => {
    await checkAnswers(extractorOf(...wanted), RECIPE, answers);
    const rounded = wanted.map(({ shape: [rows = 1, size = 1] }) =>
      output(rows, size, index => wave(index) * (1 + 1e-6 * Math.cos(index))),
    );
    await checkAnswers(extractorOf(...rounded), RECIPE, answers);
  });

  test.each([
    ['another scale', (index: number) => wave(index) * 1.01],
    ['noise of a thousandth', (index: number) => wave(index) + 0.01 * Math.cos(index * 7)],
    ['no number', (index: number) => (index % 3 === 0 ? Number.NaN : wave(index))],
    ['zeros', () => 0],
  ])('refuses %s by the name of the layer', async (_, value) => {
    const [first, second] = wanted;
    if (first === undefined || second === undefined) throw new Error('Expected two layers');
    await expect(checkAnswers(extractorOf(first, output(2, 5, value)), RECIPE, answers)).rejects.toMatchObject({
      code: 'conditions-differ',
      message: expect.stringContaining("'layer1'") as unknown,
    });
    await expect(checkAnswers(extractorOf(output(2, 300_000, value), second), RECIPE, answers)).rejects.toMatchObject({
      code: 'conditions-differ',
      message: expect.stringContaining("'layer0'") as unknown,
    });
  });

  test('allows as much as the planner itself was away, three times over, and no more', async () => {
    const loose = recordAnswers('tensorflow', wanted, [
      { cosine: 0.9999995, relative: 8e-5 },
      { cosine: 0.9999995, relative: 8e-5 },
    ]);
    const off = (part: number): Extractor =>
      extractorOf(...wanted.map(({ shape: [rows = 1, size = 1] }) => output(rows, size, i => wave(i) + 10 * part)));
    await checkAnswers(off(2e-4), RECIPE, loose);
    await expect(checkAnswers(off(2e-4), RECIPE, answers)).rejects.toMatchObject({ code: 'conditions-differ' });
    await expect(checkAnswers(off(4e-4), RECIPE, loose)).rejects.toMatchObject({ code: 'conditions-differ' });
  });

  test('takes infinities and NaN where they are recorded, and only there', async () => {
    const masked = output(2, 40, index =>
      index % 4 === 0 ? Number.NEGATIVE_INFINITY : index % 9 === 0 ? Number.NaN : wave(index),
    );
    const recorded = CompiledAnswers.parse(JSON.parse(JSON.stringify(recordAnswers('onnx', [masked], []))));
    await checkAnswers(extractorOf(masked), RECIPE, recorded);
    const unmasked = output(2, 40, wave);
    await expect(checkAnswers(extractorOf(unmasked), RECIPE, recorded)).rejects.toMatchObject({
      code: 'conditions-differ',
    });
    const plain = recordAnswers('onnx', [unmasked], []);
    await expect(checkAnswers(extractorOf(masked), RECIPE, plain)).rejects.toMatchObject({ code: 'conditions-differ' });
  });

  test('takes a layer of zeros, and one whose kept values are zeros', async () => {
    const zeros = output(2, 300_000, index => (index === 299_999 ? 5 : 0));
    await checkAnswers(extractorOf(zeros), RECIPE, recordAnswers('tensorflow', [zeros], []));
    const dead = output(1, 9, () => 0);
    await checkAnswers(extractorOf(dead), RECIPE, recordAnswers('wasm', [dead], []));
    const alive = extractorOf(output(1, 9, () => 1e-3));
    await expect(checkAnswers(alive, RECIPE, recordAnswers('wasm', [dead], []))).rejects.toMatchObject({
      code: 'conditions-differ',
    });
  });
});
