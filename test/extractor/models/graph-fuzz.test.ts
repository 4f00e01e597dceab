// Damaged graph models and SavedModels: each ends as a Refusal or as a loaded model. LAYERTAP_FUZZ=1000 tries as many.
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openModel } from '../../../extractor/src/model.ts';
import { probeShapes } from '../../../extractor/src/probe-shapes.ts';
import { tensorFlowStatus } from '../../../setup/src/tensorflow-library.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { goldenPath } from '../engines/golden-layers.ts';

const COUNT = Number(process.env.LAYERTAP_FUZZ ?? 16);
/** Of those that open, every so many are also loaded by the engine, in a child: half a second each. */
const LOADED = 8;

describe.each([
  ['small-graph-model', 'wasm'],
  ['saved-models/keras3', 'tensorflow'],
] as const)('%s, damaged', (model, engine) => {
  test.skipIf(engine === 'tensorflow' && !tensorFlowStatus().available)(
    `${COUNT} times, is refused or loaded, and never ends this process`,
    async () => {
      const folder = join(await temporaryFolder(), 'model');
      const outcomes = { refused: 0, opened: 0, loaded: 0 };
      for (let seed = 1; seed <= COUNT; seed++) {
        await damagedCopy(goldenPath(model), folder, randomFrom(seed));
        try {
          const { table } = await openModel(folder);
          outcomes.opened += 1;
          const layers = table.outputs.slice(0, 1);
          const inputShape = table.inputShape.map(axis => axis ?? 10);
          if (outcomes.opened % LOADED !== 1 || layers.length === 0) continue;
          await probeShapes({ engine, model: folder, layers, inputShape, timeoutMs: 30_000 });
          outcomes.loaded += 1;
        } catch (error) {
          if (!(error instanceof Refusal)) throw new Error(`Expected a Refusal for seed ${seed}`, { cause: error });
          outcomes.refused += 1;
        }
      }
      expect(outcomes.refused).toBeGreaterThan(0);
      expect(outcomes.refused + outcomes.opened).toBeGreaterThanOrEqual(COUNT);
    },
    60_000 + COUNT * 2_000,
  );
});

/** One file of a copy is cut off, or has some bits turned over. */
async function damagedCopy(from: string, to: string, random: () => number): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await mkdir(to, { recursive: true });
  await cp(from, to, { recursive: true });
  const entries = await readdir(to, { withFileTypes: true, recursive: true });
  const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
  const file = files.sort()[Math.floor(random() * files.length)] ?? '';
  const bytes = await readFile(file);
  if (random() < 0.4) return writeFile(file, bytes.subarray(0, Math.floor(random() * bytes.length)));
  for (let flips = 1 + Math.floor(random() * 8); flips > 0; flips--) {
    const at = Math.floor(random() * bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
  }
  return writeFile(file, bytes);
}

/** mulberry32: the same numbers for the same seed. */
function randomFrom(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
