// Architectures recognised by their layers, and the presets of their names, against what Keras itself says.
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { recogniseArchitecture } from '../../extractor/src/architecture.ts';
import { prepareRaw } from '../../extractor/src/preprocess/prepare-image.ts';
import { Recipe } from '../../shared/src/recipe.ts';
import { RECIPE_PRESETS } from '../../shared/src/recipe-presets.ts';
import { chainTable } from './layer-tables.ts';

const Architectures = z.record(
  z.string(),
  z.object({ size: z.number().nullable(), values: z.array(z.array(z.number())), landmarks: z.string() }),
);
const Library = z.object({ version: z.string(), architectures: Architectures });
const golden = z
  .object({ pixels: z.array(z.array(z.number())), keras: Library, tf_keras: Library })
  .parse(JSON.parse(await readFile(new URL('golden/keras-applications.json', import.meta.url), 'utf8')));

/** These scale their input by a Rescaling layer: no name is needed. */
const UNNAMED = /^(efficientnet|regnet|resnetrs)/;

const cases = (['keras', 'tf_keras'] as const).flatMap(library =>
  Object.entries(golden[library].architectures).map(([name, facts]) => ({ library, name: name.toLowerCase(), facts })),
);

describe.each(cases)('$name of $library', ({ name, facts }) => {
  it('is recognised by its layers, in a nested model too', () => {
    const layers = facts.landmarks.split(' ');
    const expected = UNNAMED.test(name) ? undefined : { name, classes: 1000 };
    expect(recogniseArchitecture(chainTable({ layers, output: [1000] }))).toEqual(expected);
    const nested = layers.map(layer => `backbone/${layer}`);
    expect(recogniseArchitecture(chainTable({ layers: nested, output: [1000] }))).toEqual(expected);
  });

  it("has a preset that gives the values of Keras' preprocess_input, and its usual size", () => {
    const preset = RECIPE_PRESETS.get(`keras:${name}`);
    // MobileNetV3 leaves its size open, and names 224.
    expect(preset?.size).toBe(facts.size ?? 224);
    const recipe = Recipe.parse({ ...preset?.fields, width: golden.pixels.length, height: 1 });
    const data = Uint8Array.from(golden.pixels.flat());
    const prepared = prepareRaw({ data, width: golden.pixels.length, height: 1, channels: 3 }, recipe);
    const values = prepared.ok ? [...prepared.image.values] : [];
    facts.values.flat().forEach((value, index) => {
      expect(Math.abs((values[index] ?? Number.NaN) - value)).toBeLessThan(2e-6 * Math.max(1, Math.abs(value)));
    });
  });
});

it('there is a keras preset for every architecture of both Keras, in three ways of loading, and none else', () => {
  const known = new Set(cases.map(({ name }) => `keras:${name}`));
  const presets = [...RECIPE_PRESETS.keys()].filter(name => name.startsWith('keras:'));
  expect(new Set(presets.map(name => name.split('@')[0]))).toEqual(known);
  expect(presets).toHaveLength(3 * known.size);
});

it('classes are those of the only output', () => {
  const layers = ['block1_conv1', 'block5_conv3', 'predictions'];
  const table = chainTable({ layers, output: [1000] });
  expect(recogniseArchitecture(table)).toEqual({ name: 'vgg16', classes: 1000 });
  const both = { ...table, outputs: ['predictions', 'block5_conv3'] };
  expect(recogniseArchitecture(both)).toEqual({ name: 'vgg16', classes: undefined });
});

it('a model of another kind is not recognised', () => {
  expect(
    recogniseArchitecture(chainTable({ layers: ['conv1', 'conv2', 'predictions'], output: [1000] })),
  ).toBeUndefined();
});
