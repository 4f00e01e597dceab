// Which row of one run is which of the other, by sample id: the same where both have one manifest, looked up where not.
import { Refusal } from '../../../shared/src/errors.ts';
import { openManifestReader } from '../../../shared/src/manifest-reader.ts';
import type { OpenedRun } from './compare-features.ts';

export interface MatchedRow {
  readonly row: number;
  readonly otherRow: number;
}

export interface RowMatch {
  /** Those of rows [first, first + count) that the other run has too, in the other's order. */
  rowsOf(first: number, count: number): Promise<readonly MatchedRow[]>;
}

/** Ids that are held in memory at about 100 bytes each. */
const INDEXED_ROWS = 5_000_000;

export async function matchRows(one: OpenedRun, other: OpenedRun): Promise<RowMatch> {
  if (one.run.manifest.digest === other.run.manifest.digest) {
    return {
      rowsOf: async (first, count) =>
        Array.from({ length: count }, (_, index) => ({ row: first + index, otherRow: first + index })),
    };
  }
  const { rows } = other.run.manifest;
  if (rows > INDEXED_ROWS) {
    throw new Refusal(
      'bad-option',
      `Expected two runs of one manifest, or at most ${INDEXED_ROWS} images in the second but it has ${rows}`,
      { hint: 'Give the smaller run second.' },
    );
  }
  const index = new Map<string, number>();
  let row = 0;
  for await (const { sampleId } of openManifestReader(other.storage, other.run.runId).read(0, rows))
    index.set(sampleId, row++);
  const manifest = openManifestReader(one.storage, one.run.runId);
  return {
    async rowsOf(first, count): Promise<readonly MatchedRow[]> {
      const matched: MatchedRow[] = [];
      let at = first;
      for await (const { sampleId } of manifest.read(first, count)) {
        const otherRow = index.get(sampleId);
        if (otherRow !== undefined) matched.push({ row: at, otherRow });
        at++;
      }
      return matched.sort((a, b) => a.otherRow - b.otherRow);
    },
  };
}
