// The gate itself: a reader that is broken in one of the usual ways must not pass on the committed models.
import { beforeAll, describe, expect, test } from 'vitest';
import { openKerasFile } from '../../extractor/src/models/keras-formats.ts';
import { rebuildForImages } from '../../extractor/src/models/keras-model.ts';
import { fromTensorData, runBatch } from '../../extractor/src/tfjs-tensors.ts';
import { useWasm } from '../extractor/small-model.ts';
import { type Golden, problemsOf, readGolden } from './golden.ts';
import { MUTANTS, type ReadModel } from './mutants.ts';

beforeAll(useWasm);

async function problemsAfter(
  golden: Golden,
  change: (model: ReadModel) => ReadModel | undefined,
): Promise<readonly string[]> {
  const file = await openKerasFile(golden.files[0] ?? '');
  const read = change({ graph: file.graph, weights: await file.weights({ data: true }) });
  if (read === undefined) throw new Error(`Expected ${golden.name} to have what this mutant changes`);
  const layers = golden.layers.map(({ name }) => name);
  const model = rebuildForImages({ ...file, graph: read.graph }, read.weights, golden.inputShape, layers);
  const input = fromTensorData(golden.input);
  try {
    return await problemsOf(golden, { run: async () => runBatch(model, input) });
  } finally {
    input.dispose();
    model.dispose();
  }
}

describe.each(MUTANTS)('$name', ({ betrayedBy, mutate }) => {
  test.each(betrayedBy)('fails on %s, which passes as it is', async name => {
    const golden = readGolden(name);
    expect(await problemsAfter(golden, model => model)).toEqual([]);
    expect(await problemsAfter(golden, mutate)).not.toEqual([]);
  });
});
