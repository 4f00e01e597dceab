// The manifest: written file by file, read by ranges, every carried type with nulls, damage refused.
import { createHash } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MANIFEST_FILE_ROWS, manifestPath, type Sample } from '../../shared/src/manifest.ts';
import { openManifestReader } from '../../shared/src/manifest-reader.ts';
import { type ManifestSummary, openManifestWriter } from '../../shared/src/manifest-writer.ts';
import type { Storage } from '../../shared/src/storage.ts';
import { openFileStorage } from '../../shared/src/storages/file.ts';
import { refusalOf } from '../support/refusal.ts';
import { CARRIED, pathsIn, sampleOf } from '../support/small-run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const RUN_ID = 'run-test';

async function writeManifest(storage: Storage, rows: number): Promise<ManifestSummary> {
  const writer = openManifestWriter(storage, RUN_ID, CARRIED);
  for (let row = 0; row < rows; row++) await writer.add(sampleOf(row));
  return writer.close();
}

async function readRange(storage: Storage, first: number, count: number): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for await (const sample of openManifestReader(storage, RUN_ID).read(first, count)) samples.push(sample);
  return samples;
}

function samplesOf(first: number, count: number): readonly Sample[] {
  return Array.from({ length: count }, (_, index) => sampleOf(first + index));
}

describe('a small manifest', () => {
  it('gives back text, integers beyond 2^53, decimals, booleans and the nulls of each', async () => {
    const storage = openFileStorage(await temporaryFolder());
    expect((await writeManifest(storage, 12)).rows).toBe(12);
    expect(await readRange(storage, 0, 12)).toEqual(samplesOf(0, 12));
  });

  it('tells a null from an empty text, 0 and false', async () => {
    const storage = openFileStorage(await temporaryFolder());
    const writer = openManifestWriter(storage, RUN_ID, CARRIED);
    const empty: Sample = { sampleId: 'a', uri: '/a', carried: ['', 0n, 0, false] };
    const nothing: Sample = { sampleId: 'b', uri: '/b', carried: [null, null, null, null] };
    for (const sample of [empty, nothing]) await writer.add(sample);
    await writer.close();
    expect(await readRange(storage, 0, 2)).toEqual([empty, nothing]);
  });

  it('keeps a column that is null in every row', async () => {
    const storage = openFileStorage(await temporaryFolder());
    const writer = openManifestWriter(storage, RUN_ID, CARRIED);
    for (const name of ['a', 'b']) await writer.add({ sampleId: name, uri: name, carried: [null, null, null, null] });
    await writer.close();
    expect((await readRange(storage, 1, 1))[0]?.carried).toEqual([null, null, null, null]);
  });

  it('may be empty', async () => {
    const storage = openFileStorage(await temporaryFolder());
    expect((await writeManifest(storage, 0)).rows).toBe(0);
    expect(await pathsIn(storage, 'manifest')).toEqual([]);
    expect(await readRange(storage, 0, 0)).toEqual([]);
  });

  it('has the digest of its files, the same for the same rows', async () => {
    const [first, second] = [openFileStorage(await temporaryFolder()), openFileStorage(await temporaryFolder())];
    const { digest } = await writeManifest(first, 5);
    expect((await writeManifest(second, 5)).digest).toBe(digest);
    const file = createHash('sha256')
      .update(await readFile(join(first.root, manifestPath(RUN_ID, 0))))
      .digest();
    expect(digest).toBe(createHash('sha256').update(file).digest('hex'));
    expect((await writeManifest(second, 6)).digest).not.toBe(digest);
  });

  it('refuses a range beyond its end, naming the row', async () => {
    const storage = openFileStorage(await temporaryFolder());
    await writeManifest(storage, 5);
    const refusal = await refusalOf(() => readRange(storage, 3, 3), 'run-unreadable');
    expect(refusal.message).toContain('Expected row 5');
  });
});

describe('a manifest of 150,000 rows', () => {
  let storage: Storage;

  beforeAll(async () => {
    storage = openFileStorage(await mkdtemp(join(tmpdir(), 'layertap-test-')));
    await writeManifest(storage, 150_000);
  });
  afterAll(() => rm(storage.root, { recursive: true, force: true }));

  it('has files of 65,536 rows', async () => {
    expect(await pathsIn(storage, 'manifest')).toEqual([0, 1, 2].map(file => `manifest/run-test/00000${file}.arrow`));
  });

  it.each([
    ['at the beginning', 0, 3],
    ['within a batch', 500, 10],
    ['across the border of two batches', 1020, 10],
    ['over several batches', 2000, 3000],
    ['across the border of two files', MANIFEST_FILE_ROWS - 3, 6],
    ['of one row at a border', MANIFEST_FILE_ROWS, 1],
    ['at the end', 149_998, 2],
  ])('gives back a range %s', async (_, first, count) => {
    expect(await readRange(storage, first, count)).toEqual(samplesOf(first, count));
  });

  it('gives back all rows in order', async () => {
    let row = 0;
    for await (const { sampleId } of openManifestReader(storage, RUN_ID).read(0, 150_000)) {
      if (sampleId !== sampleOf(row).sampleId) throw new Error(`Expected row ${row} but received '${sampleId}'`);
      row++;
    }
    expect(row).toBe(150_000);
  });

  it('is read by two ranges in turn, from one reader', async () => {
    const reader = openManifestReader(storage, RUN_ID);
    const [a, b] = [reader.read(10, 5), reader.read(140_000, 5)];
    for (let index = 0; index < 5; index++) {
      expect((await a.next()).value).toEqual(sampleOf(10 + index));
      expect((await b.next()).value).toEqual(sampleOf(140_000 + index));
    }
  });
});

describe('a damaged manifest is refused, naming the file,', () => {
  async function damagedBy(damage: (path: string) => Promise<unknown>): Promise<string> {
    const storage = openFileStorage(await temporaryFolder());
    await writeManifest(storage, 3000);
    const path = join(storage.root, manifestPath(RUN_ID, 0));
    await damage(path);
    const refusal = await refusalOf(() => readRange(storage, 0, 3000), 'run-unreadable');
    expect(refusal.message).toContain(path);
    expect(refusal.hint).toBeDefined();
    return refusal.message;
  }

  it('when a file is missing', async () => {
    expect(await damagedBy(path => rm(path))).toContain('there is none');
  });

  it('when it is empty', async () => {
    await damagedBy(path => truncate(path, 0));
  });

  it('when it is cut short', async () => {
    await damagedBy(path => truncate(path, 20_000));
  });

  it('when it is something else', async () => {
    await damagedBy(path => writeFile(path, 'not Arrow at all'.repeat(100)));
  });

  it('when something follows its end', async () => {
    await damagedBy(path => appendFile(path, 'more'));
  });

  it('when its footer is garbage', async () => {
    await damagedBy(async path => {
      const bytes = await readFile(path);
      bytes.fill(0xff, bytes.length - 400, bytes.length - 10);
      await writeFile(path, bytes);
    });
  });

  it('when its batches are garbage', async () => {
    await damagedBy(async path => {
      const bytes = await readFile(path);
      bytes.fill(0xff, 1000, bytes.length - 1500);
      await writeFile(path, bytes);
    });
  });
});
