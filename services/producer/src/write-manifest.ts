// Walks a source into the manifest of a run, at flat memory; finds two samples of one id before the first job.
import { tmpdir } from 'node:os';
import { Refusal } from '../../../shared/src/errors.ts';
import type { Sample } from '../../../shared/src/manifest.ts';
import { type ManifestReader, openManifestReader } from '../../../shared/src/manifest-reader.ts';
import { type ManifestSummary, openManifestWriter } from '../../../shared/src/manifest-writer.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { createDuplicateFinder } from './duplicates.ts';
import type { Source } from './source.ts';

export interface WriteManifestOptions {
  readonly storage: Storage;
  readonly runId: string;
  readonly source: Source;
  /** Take only the first samples. @default all */
  readonly limit: number | undefined;
  readonly duplicates: 'refuse' | 'number';
  /** Called now and then with the samples so far. */
  readonly onProgress?: (samples: number) => void;
  readonly signal?: AbortSignal;
}

/** Samples between two calls of `onProgress`. */
const PROGRESS_ROWS = 100_000;

export async function writeManifest(options: WriteManifestOptions): Promise<ManifestSummary> {
  const { storage, runId, source, duplicates } = options;
  const finder = createDuplicateFinder({ spillDirectory: tmpdir() });
  try {
    const taken = new Set<string>();
    const samples = limited(source.samples(), options.limit);
    const summary = await writeSamples(
      options,
      async (sample, row) => {
        await finder.add(sample.sampleId, row);
        if (duplicates === 'number' && NUMBERED.test(sample.sampleId)) taken.add(sample.sampleId);
      },
      samples,
    );
    if (duplicates === 'refuse') {
      await refuseDuplicates(openManifestReader(storage, runId), finder.find());
      return summary;
    }
    const candidates = await rowsOf(finder.find());
    if (candidates.size === 0) return summary;
    // Each file is read whole before it is replaced, so the manifest can be numbered in place.
    const written = openManifestReader(storage, runId).read(0, summary.rows);
    return await writeSamples(options, async () => undefined, numbered(written, candidates, taken));
  } finally {
    await finder.close();
  }
}

/** Ids that a number could collide with. */
const NUMBERED = /#\d+$/;

async function writeSamples(
  options: WriteManifestOptions,
  each: (sample: Sample, row: number) => Promise<void>,
  samples: AsyncIterable<Sample>,
): Promise<ManifestSummary> {
  const writer = openManifestWriter(options.storage, options.runId, options.source.carried);
  let row = 0;
  for await (const sample of samples) {
    options.signal?.throwIfAborted();
    await each(sample, row++);
    await writer.add(sample);
    if (row % PROGRESS_ROWS === 0) options.onProgress?.(row);
  }
  return writer.close();
}

/** Rows whose hashes are equal are compared by their real ids; the first true pair is refused. */
async function refuseDuplicates(manifest: ManifestReader, groups: AsyncIterable<readonly number[]>): Promise<void> {
  for await (const group of groups) {
    const seen = new Map<string, Sample>();
    for (const row of group) {
      const sample = await sampleAt(manifest, row);
      const before = seen.get(sample.sampleId);
      if (before !== undefined) throw duplicateSample(before, sample);
      seen.set(sample.sampleId, sample);
    }
  }
}

async function rowsOf(groups: AsyncIterable<readonly number[]>): Promise<ReadonlySet<number>> {
  const rows = new Set<number>();
  for await (const group of groups) for (const row of group) rows.add(row);
  return rows;
}

/** The second sample of an id becomes `id#2`, the third `id#3`; a name that is taken is passed over. */
async function* numbered(
  samples: AsyncIterable<Sample>,
  candidates: ReadonlySet<number>,
  taken: ReadonlySet<string>,
): AsyncGenerator<Sample> {
  const last = new Map<string, number>();
  let row = 0;
  for await (const sample of samples) {
    if (!candidates.has(row++)) {
      yield sample;
      continue;
    }
    const { sampleId } = sample;
    let number = (last.get(sampleId) ?? 0) + 1;
    while (number > 1 && taken.has(`${sampleId}#${number}`)) number++;
    last.set(sampleId, number);
    yield number === 1 ? sample : { ...sample, sampleId: `${sampleId}#${number}` };
  }
}

async function sampleAt(manifest: ManifestReader, row: number): Promise<Sample> {
  for await (const sample of manifest.read(row, 1)) return sample;
  throw new Error(`Expected row ${row} in the manifest`);
}

function duplicateSample(a: Sample, b: Sample): Refusal {
  return new Refusal(
    'duplicate-sample',
    `Expected every sample_id once but '${a.sampleId}' names both '${a.uri}' and '${b.uri}'`,
    {
      hint: 'Give the list a sample_id column of its own, or use --duplicates number to have them numbered.',
    },
  );
}

/** Stops with the last wanted sample: what stands behind it in the source is not even looked at. */
async function* limited(samples: AsyncIterable<Sample>, limit: number | undefined): AsyncGenerator<Sample> {
  let count = 0;
  for await (const sample of samples) {
    yield sample;
    if (++count === limit) return;
  }
}
