// Walks a source into the manifest of a run, at flat memory; finds two samples of one id before the first job.
import { tmpdir } from 'node:os';
import { Refusal } from '../../../shared/src/errors.ts';
import type { CarriedColumn, Sample } from '../../../shared/src/manifest.ts';
import { type ManifestReader, openManifestReader } from '../../../shared/src/manifest-reader.ts';
import { type ManifestSummary, openManifestWriter } from '../../../shared/src/manifest-writer.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { createDuplicateFinder } from './duplicates.ts';
import type { Source } from './source.ts';

export interface WriteManifestOptions {
  readonly storage: Storage;
  readonly source: Source;
  /** Take only the first samples. @default all */
  readonly limit: number | undefined;
  readonly duplicates: 'refuse' | 'number';
  /** Called now and then with the samples so far. */
  readonly onProgress?: (samples: number) => void;
  readonly signal?: AbortSignal;
}

export async function writeManifest(options: WriteManifestOptions): Promise<ManifestSummary> {
  const { storage, source } = options;
  const first = await writeSamples(options, limited(source.samples(), options.limit), source.carried);
  if (first.renames.size === 0) return first.summary;
  // Each file is read whole before it is replaced, so the manifest can be renumbered in place.
  const renumbered = renamed(openManifestReader(storage).read(0, first.summary.rows), first.renames);
  const second = await writeSamples({ ...options, duplicates: 'refuse' }, renumbered, source.carried);
  return second.summary;
}

async function writeSamples(
  options: WriteManifestOptions,
  samples: AsyncIterable<Sample>,
  carried: readonly CarriedColumn[],
): Promise<{ readonly summary: ManifestSummary; readonly renames: ReadonlyMap<number, string> }> {
  const writer = openManifestWriter(options.storage, carried);
  const finder = createDuplicateFinder({ spillDirectory: tmpdir() });
  try {
    let row = 0;
    for await (const sample of samples) {
      options.signal?.throwIfAborted();
      await finder.add(sample.sampleId, row++);
      await writer.add(sample);
      if (row % 100_000 === 0) options.onProgress?.(row);
    }
    const summary = await writer.close();
    return { summary, renames: await resolveDuplicates(options, finder.find()) };
  } finally {
    await finder.close();
  }
}

/** Rows whose hashes are equal are compared by their real ids. */
async function resolveDuplicates(
  options: WriteManifestOptions,
  groups: AsyncIterable<readonly number[]>,
): Promise<ReadonlyMap<number, string>> {
  const manifest = openManifestReader(options.storage);
  const renames = new Map<number, string>();
  for await (const group of groups) {
    const seen = new Map<string, Sample[]>();
    for (const row of [...group].sort((a, b) => a - b)) {
      const sample = await sampleAt(manifest, row);
      const same = seen.get(sample.sampleId) ?? [];
      same.push(sample);
      seen.set(sample.sampleId, same);
      if (same.length === 1) continue;
      if (options.duplicates === 'refuse') throw duplicateSample(same[0] ?? sample, sample);
      renames.set(row, `${sample.sampleId}#${same.length}`);
    }
  }
  return renames;
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

async function* renamed(samples: AsyncIterable<Sample>, renames: ReadonlyMap<number, string>): AsyncGenerator<Sample> {
  let row = 0;
  for await (const sample of samples) yield { ...sample, sampleId: renames.get(row++) ?? sample.sampleId };
}
