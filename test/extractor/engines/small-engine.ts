// The small model as the conformance suite wants it, for both TensorFlow.js engines.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Engine } from '../../../extractor/src/engine.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { saveSmallModel, smallModel, useWasm } from '../small-model.ts';
import type { EngineUnderTest } from './engine-conformance.ts';

export function smallEngine(open: () => Promise<Engine>): EngineUnderTest {
  return {
    open,
    // Height and width are left open: the extractor fixes them.
    model: saveForSuite,
    inputShape: [12, 10, 3],
    wrongInputShape: [12, 10, 1],
    layers: [
      ['scores', [3]],
      ['stem_bn', [6, 5, 6]],
      ['image', [12, 10, 3]],
      ['block_add', [6, 5, 6]],
      ['pool', [6]],
    ],
    batchTolerance: 1e-5,
    held: () => tfjs().memory().numTensors,
  };
}

/** The small model in a folder that goes after the last test of the file. */
export async function saveForSuite(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'layertap-engine-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  await useWasm();
  const model = smallModel([null, null, 3]);
  const path = await saveSmallModel(model, folder, { shardBytes: 999 });
  model.dispose();
  return path;
}
