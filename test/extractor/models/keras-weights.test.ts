// Weights of Keras' files by layer, against what Keras itself gives as `layer.weights`.
import { describe, expect, test } from 'vitest';
import type { LayerWeights } from '../../../extractor/src/layer-graph.ts';
import { readHdf5 } from '../../../extractor/src/models/hdf5.ts';
import { openKerasArchive } from '../../../extractor/src/models/keras-archive.ts';
import type { KerasTree } from '../../../extractor/src/models/keras-tree.ts';
import { readH5Weights } from '../../../extractor/src/models/keras-weights-h5.ts';
import { readV3Weights } from '../../../extractor/src/models/keras-weights-v3.ts';
import { bytesOf, GOLDEN, summarise, temporaryFolder, writeTo } from './keras-files.ts';

const folder = temporaryFolder();

async function weightsOf(file: string, tree: KerasTree, data = true): Promise<LayerWeights> {
  const path = writeTo(folder, file, bytesOf(file));
  if (file.endsWith('.h5')) return readH5Weights(await readHdf5({ path }, { data }), tree);
  return readV3Weights(await (await openKerasArchive(path)).readWeights({ data }), tree);
}

describe("every layer's weights are those that Keras gives, in its order", () => {
  test.each(Object.entries(GOLDEN))('%s', async (file, { tree, weights }) => {
    const found = summarise(await weightsOf(file, tree));
    expect(Object.keys(found).sort()).toEqual(Object.keys(weights).sort());
    for (const [path, own] of Object.entries(weights)) {
      expect(
        found[path]?.map(([shape]) => shape),
        path,
      ).toEqual(own.map(([shape]) => shape));
      for (const [i, [, checksum]] of own.entries()) expect(found[path]?.[i]?.[1], path).toBeCloseTo(checksum, 2);
    }
  });
});
