// Damaged .h5 and .keras files end as a refusal or as weights, never as a crash, a hang or another error.
// More of them: LAYERTAP_FUZZ=1000 npx vitest run test/extractor/models/keras-fuzz.test.ts
import { expect, test } from 'vitest';
import { readHdf5 } from '../../../extractor/src/models/hdf5.ts';
import { openKerasArchive } from '../../../extractor/src/models/keras-archive.ts';
import { readH5Weights } from '../../../extractor/src/models/keras-weights-h5.ts';
import { readV3Weights } from '../../../extractor/src/models/keras-weights-v3.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import { damagedCopies } from './damage.ts';
import { bytesOf, GOLDEN, temporaryFolder, writeTo } from './keras-files.ts';

const COUNT = Number(process.env.LAYERTAP_FUZZ ?? 16);
const folder = temporaryFolder();

/** Fails the test for anything but weights or a refusal. */
async function outcomeOf(read: () => Promise<unknown>): Promise<string> {
  try {
    await read();
    return 'loaded';
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'model-unreadable') throw error;
    return /takes more than|breaks the reader|ends the reader/.exec(error.message)?.[0] ?? 'refused';
  }
}

async function fuzz(file: string, read: (path: string) => Promise<unknown>): Promise<ReadonlyMap<string, number>> {
  const outcomes = new Map<string, number>();
  const copies = damagedCopies(bytesOf(file), COUNT, 4).map((bytes, i) => writeTo(folder, `${i}-${file}`, bytes));
  const next = copies.values();
  // Two at a time: what is damaged must not disturb what is read beside it.
  const work = async (): Promise<void> => {
    for (const path of next) {
      const outcome = await outcomeOf(() => read(path));
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  };
  await Promise.all([work(), work()]);
  return outcomes;
}

function treeOf(file: string): (typeof GOLDEN)[string]['tree'] {
  const golden = GOLDEN[file];
  if (golden === undefined) throw new Error(`Expected a golden of ${file}`);
  return golden.tree;
}

const total = (outcomes: ReadonlyMap<string, number>): number => [...outcomes.values()].reduce((a, b) => a + b, 0);

test.each(['plain-k2.h5', 'nested-k3.h5'])(
  `${COUNT} damaged copies of %s`,
  async file => {
    const outcomes = await fuzz(file, async path =>
      readH5Weights(await readHdf5({ path }, { data: true }), treeOf(file)),
    );
    if (COUNT > 100) process.stderr.write(`${file}: ${JSON.stringify(Object.fromEntries(outcomes))}\n`);
    expect(total(outcomes)).toBe(COUNT);
    expect(outcomes.get('refused')).toBeGreaterThan(COUNT / 8);
  },
  COUNT * 5000,
);

test.each(['plain-k3.keras', 'nested-k3.0.keras'])(
  `${COUNT} damaged copies of %s: nearly all, as zip has checksums`,
  async file => {
    const outcomes = await fuzz(file, async path =>
      readV3Weights(await (await openKerasArchive(path)).readWeights({ data: true }), treeOf(file)),
    );
    if (COUNT > 100) process.stderr.write(`${file}: ${JSON.stringify(Object.fromEntries(outcomes))}\n`);
    expect(total(outcomes)).toBe(COUNT);
    expect(outcomes.get('refused')).toBeGreaterThan(COUNT / 2);
  },
  COUNT * 5000,
);
