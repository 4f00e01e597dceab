// From a source to the manifest: order, limit, duplicates.

import { describe, expect, it } from 'vitest';
import type { Source } from '../../../services/producer/src/source.ts';
import { writeManifest } from '../../../services/producer/src/write-manifest.ts';
import type { CarriedColumn, Sample } from '../../../shared/src/manifest.ts';
import { openManifestReader } from '../../../shared/src/manifest-reader.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { refusalOf } from '../../support/refusal.ts';
import { CARRIED, carriedOf, pathsIn, sampleOf } from '../../support/small-run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

function sourceOf(samples: Iterable<Sample>, carried: readonly CarriedColumn[] = CARRIED): Source {
  return {
    kind: 'list',
    carried,
    async *samples() {
      yield* samples;
    },
  };
}

function withIds(...ids: readonly string[]): readonly Sample[] {
  return withIdsOf(ids);
}

function withIdsOf(ids: readonly string[]): readonly Sample[] {
  return ids.map((sampleId, row) => ({ sampleId, uri: `/photos/${row}.jpg`, carried: carriedOf(row) }));
}

const RUN_ID = 'run-test';

async function read(storage: Storage, rows: number): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for await (const sample of openManifestReader(storage, RUN_ID).read(0, rows)) samples.push(sample);
  return samples;
}

const settings = { runId: RUN_ID, limit: undefined, duplicates: 'refuse' } as const;

describe('writeManifest', () => {
  it('writes every sample in order, with its carried columns', async () => {
    const storage = openFileStorage(await temporaryFolder());
    const samples = Array.from({ length: 2500 }, (_, row) => sampleOf(row));
    const seen: number[] = [];
    const summary = await writeManifest({
      ...settings,
      storage,
      source: sourceOf(samples),
      onProgress: count => seen.push(count),
    });
    expect(summary.rows).toBe(2500);
    expect(await read(storage, 2500)).toEqual(samples);
    expect(await pathsIn(storage, 'manifest')).toEqual(['manifest/run-test/000000.arrow']);
    expect(seen).toEqual([]);
  });

  it('takes only the first samples, and asks the source for no more', async () => {
    const storage = openFileStorage(await temporaryFolder());
    let asked = 0;
    const endless = (function* (): Generator<Sample> {
      for (;;) yield sampleOf(asked++);
    })();
    const summary = await writeManifest({ ...settings, limit: 7, storage, source: sourceOf(endless) });
    expect(summary.rows).toBe(7);
    expect(asked).toBe(7);
  });

  it('refuses two samples of one id, naming both', async () => {
    const storage = openFileStorage(await temporaryFolder());
    const source = sourceOf(withIds('a', 'b', 'c', 'b'));
    const { message, hint } = await refusalOf(
      () => writeManifest({ ...settings, storage, source }),
      'duplicate-sample',
    );
    expect(message).toBe("Expected every sample_id once but 'b' names both '/photos/1.jpg' and '/photos/3.jpg'");
    expect(hint).toContain('--duplicates number');
  });

  it('numbers them where that is asked for, and changes nothing else', async () => {
    const storage = openFileStorage(await temporaryFolder());
    const samples = withIds('a', 'b', 'a', 'a', 'c', 'b');
    const summary = await writeManifest({
      storage,
      source: sourceOf(samples),
      limit: undefined,
      duplicates: 'number',
      runId: RUN_ID,
    });
    const ids = ['a', 'b', 'a#2', 'a#3', 'c', 'b#2'];
    expect(await read(storage, summary.rows)).toEqual(
      samples.map((sample, row) => ({ ...sample, sampleId: ids[row] })),
    );
  });

  it('passes over a number that another sample has for its own', async () => {
    const storage = openFileStorage(await temporaryFolder());
    const source = sourceOf(withIds('a', 'a', 'a#2', 'a'));
    const summary = await writeManifest({ storage, source, limit: undefined, duplicates: 'number', runId: RUN_ID });
    const ids = (await read(storage, summary.rows)).map(({ sampleId }) => sampleId);
    expect(ids).toEqual(['a', 'a#3', 'a#2', 'a#4']);
  });

  it('numbers duplicates that lie files apart in one walk through the manifest', async () => {
    const storage = openFileStorage(await temporaryFolder());
    const half = Array.from({ length: 70_000 }, (_, row) => `photo ${row}`);
    const source = sourceOf(withIdsOf([...half, ...half]));
    const summary = await writeManifest({ storage, source, limit: undefined, duplicates: 'number', runId: RUN_ID });
    const ids = new Set((await read(storage, summary.rows)).map(({ sampleId }) => sampleId));
    expect(ids.size).toBe(140_000);
    expect(ids.has('photo 69999#2')).toBe(true);
  });
});
