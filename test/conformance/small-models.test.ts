// Small models that real Keras 3 and tf_keras wrote, layer by layer against Keras' own outputs, on every engine of theirs.
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openEngine } from '../../extractor/src/engine.ts';
import { enginesFor } from '../../extractor/src/engine-choice.ts';
import { openModel } from '../../extractor/src/model.ts';
import { whyNot } from '../support/needs.ts';
import { goldenNames, problemsOf, readGolden } from './golden.ts';

describe.each(goldenNames())('%s', name => {
  const golden = readGolden(name);
  const layers = golden.layers.map(layer => layer.name);

  describe.each(golden.files.map(path => [basename(path), path] as const))('in %s', (file, path) => {
    const format = file.endsWith('.h5') ? 'keras-h5' : 'keras';

    test.for(enginesFor(format))("gives Keras' own numbers on %s", async (engine, context) => {
      const lack = engine === 'tensorflow' ? whyNot('tensorflow') : undefined;
      if (lack !== undefined) return context.skip(lack);
      const model = await openModel(path);
      expect(model.format).toBe(format);
      const extractor = await (await openEngine(engine)).load({
        model: model.path,
        layers,
        inputShape: golden.inputShape,
      });
      try {
        expect(await problemsOf(golden, extractor)).toEqual([]);
      } finally {
        await extractor.close();
      }
    });

    test('names the compared layers, with the shapes that Keras gave', async () => {
      const model = await openModel(path);
      const shapes = await model.shapesFor(golden.inputShape, layers);
      expect(shapes.map(shape => [...shape])).toEqual(golden.layers.map(({ shape }) => shape.slice(1)));
      const known = new Set(model.table.layers.map(layer => layer.name));
      expect(layers.filter(layer => !known.has(layer))).toEqual([]);
    });
  });
});
