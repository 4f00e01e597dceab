// Every layer class against what Keras itself computes, on TensorFlow and on wasm. Goldens: golden/make_layers.py.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { openTensorFlowEngine } from '../../../extractor/src/engines/tensorflow.ts';
import { openWasmEngine } from '../../../extractor/src/engines/wasm.ts';
import { rebuildLayersModel } from '../../../extractor/src/rebuild/layers-model.ts';
import { weightNames } from '../../../extractor/src/rebuild/weight-names.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { tensorFlowStatus } from '../../../setup/src/tensorflow-library.ts';
import { relativeDifference } from '../numbers.ts';
import { readGoldens, runModel } from './layer-goldens.ts';

const files = readdirSync(fileURLToPath(new URL('golden/', import.meta.url)))
  .filter(name => name.endsWith('.json'))
  .map(name => name.replace('.json', ''));
const backends = tensorFlowStatus().available ? ['tensorflow', 'wasm'] : ['wasm'];

describe.each(files)('%s', file => {
  const goldens = readGoldens(file);

  describe.each(backends)('on %s', backend => {
    beforeAll(async () => {
      await (backend === 'wasm' ? openWasmEngine() : openTensorFlowEngine());
      await tfjs().setBackend(backend);
    });

    test.each([...goldens])('%s gives what Keras gives', (_about, { graph, weights, inputs, outputs }) => {
      const model = rebuildLayersModel(graph, weights);
      const results = runModel(model, inputs);
      expect(results).toHaveLength(outputs.length);
      outputs.forEach((expected, index) => {
        const result = results[index];
        expect(result?.shape).toEqual(expected.shape);
        expect(result === undefined ? Number.NaN : relativeDifference(expected, result)).toBeLessThanOrEqual(1e-5);
        const declared = model.outputs[index]?.shape.map((axis, i) => axis ?? expected.shape[i]);
        expect(declared).toEqual(expected.shape);
      });
      for (const weight of model.weights) weight.dispose();
    });
  });

  test.each([...goldens])(
    '%s has its weights listed as Keras does, and is described without values',
    (_about, { graph, weights }) => {
      for (const layer of graph.layers) {
        const given = weights.get(layer.name) ?? [];
        expect(weightNames(layer) ?? 'unknown class').toHaveLength(given.length);
      }
      const shapes = new Map(
        [...weights].map(([layer, list]) => [layer, list.map(({ name, shape }) => ({ name, shape, data: undefined }))]),
      );
      const before = tfjs().memory().numTensors;
      const described = rebuildLayersModel(graph, shapes);
      expect(tfjs().memory().numTensors).toBe(before);
      const parameters = [...weights.values()].flat().reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
      expect(described.countParams()).toBe(parameters);
    },
  );
});
