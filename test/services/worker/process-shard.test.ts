// One shard from image files to a receipt: every sample a row, failures named, and nothing left of what was given up.
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Extractor } from '../../../extractor/src/engine.ts';
import { openValues } from '../../../extractor/src/input-batch.ts';
import { openBatchBuffers } from '../../../services/worker/src/batch-buffers.ts';
import { type DecodePool, openDecodePool } from '../../../services/worker/src/decode-pool.ts';
import { processShard, type ShardWork } from '../../../services/worker/src/process-shard.ts';
import { type DecodedBatch, readShard } from '../../../services/worker/src/read.ts';
import { fingerprintOf } from '../../../shared/src/fingerprint.ts';
import { openManifestReader } from '../../../shared/src/manifest-reader.ts';
import { openManifestWriter } from '../../../shared/src/manifest-writer.ts';
import { readPart, readPartSchema } from '../../../shared/src/part-reader.ts';
import type { ShardReceipt } from '../../../shared/src/receipt.ts';
import { Recipe } from '../../../shared/src/recipe.ts';
import { createRun, type RunRecord, readReceipt } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { sizeOfShape, type TensorData } from '../../../shared/src/tensor.ts';
import { verifyRun } from '../../../shared/src/verify-run.ts';
import { pathsIn, requestOf } from '../../support/small-run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const MEANS = { name: 'means', dtype: 'float32', shape: [3] } as const;
const PIXELS = { name: 'pixels', dtype: 'float32', shape: [4, 6, 3] } as const;
const RECIPE = Recipe.parse({ width: 6, height: 4, scale: 1 });

/** A model without an engine: its layers are the input itself and the mean of each channel. */
function channelMeans(): Extractor & { readonly batches: number[] } {
  const batches: number[] = [];
  const valuesOf = openValues();
  return {
    batches,
    inputShape: [4, 6, 3],
    outputs: [MEANS, PIXELS],
    async run(batch, take = outputs => outputs): Promise<readonly TensorData[]> {
      const input = valuesOf(batch);
      const rows = input.shape[0] ?? 0;
      batches.push(rows);
      const positions = 4 * 6;
      const means = new Float32Array(rows * 3);
      input.data.forEach((value, at) => {
        const slot = Math.floor(at / (positions * 3)) * 3 + (at % 3);
        means[slot] = (means[slot] ?? 0) + value / positions;
      });
      return take([
        { dtype: 'float32', shape: [rows, 3], data: means },
        { dtype: 'float32', shape: [rows, 4, 6, 3], data: input.data.slice() },
      ]);
    },
    async warmUp(): Promise<void> {},
    async close(): Promise<void> {},
  };
}

/** Image i is all of one colour. */
function colourOf(index: number): readonly [number, number, number] {
  return [10 * index, 255 - 10 * index, 7 * index];
}

let images: string;
let pool: DecodePool;
let paths: readonly string[];

/** The names say what is wrong with them, and in which row of the manifest they are. */
const BROKEN: Readonly<Record<number, string>> = {
  1: 'not-found',
  4: 'empty-file',
  5: 'unsupported-format',
  9: 'corrupt-image',
  12: 'unsupported-format',
  13: 'not-found',
  14: 'unreadable',
};

beforeAll(async () => {
  images = await mkdtemp(join(tmpdir(), 'layertap-test-'));
  pool = await openDecodePool({ threads: 2 });
  paths = await Promise.all(Array.from({ length: 15 }, (_, index) => writeImage(index)));
});

afterAll(async () => {
  await pool.close();
  await rm(images, { recursive: true, force: true });
});

async function writeImage(index: number): Promise<string> {
  const [r, g, b] = colourOf(index);
  const image = sharp({ create: { width: 20 + index, height: 10, channels: 3, background: { r, g, b } } });
  const path = join(images, `${String(index).padStart(2, '0')}.${index % 2 === 0 ? 'png' : 'jpg'}`);
  const bytes = await (index % 2 === 0
    ? image.png()
    : image.jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
  ).toBuffer();
  if (BROKEN[index] === 'empty-file') await writeFile(path, '');
  else if (BROKEN[index] === 'unsupported-format') await writeFile(path, 'this is a letter, not an image');
  else if (BROKEN[index] === 'corrupt-image') await writeFile(path, bytes.subarray(0, bytes.length / 2));
  else if (BROKEN[index] === 'unreadable') await mkdir(path);
  else if (BROKEN[index] !== 'not-found') await writeFile(path, bytes);
  return path;
}

interface ImageRun {
  readonly storage: Storage;
  readonly run: RunRecord;
}

const RUN_ID = 'run-images';

/** A run over the 15 images in shards of 12 and 3, batches of 4. */
async function imageRun(fields: Parameters<typeof requestOf>[1] = {}): Promise<ImageRun> {
  const storage = openFileStorage(await temporaryFolder());
  const pooled = fields.pool !== undefined && fields.pool !== 'none';
  const columns = [MEANS, { ...PIXELS, shape: pooled ? [3] : [...PIXELS.shape] }];
  const request = requestOf(columns, { recipe: RECIPE, batch: 4, format: 'both', ...fields });
  const writer = openManifestWriter(storage, RUN_ID, [{ name: 'label', type: 'utf8' }]);
  for (const [row, uri] of paths.entries()) {
    await writer.add({ sampleId: `image ${row}`, uri, carried: [row % 2 === 0 ? 'even' : null] });
  }
  const run: RunRecord = {
    version: 1,
    runId: RUN_ID,
    createdAt: '2026-01-02T03:04:05.000Z',
    source: images,
    request,
    fingerprint: fingerprintOf(request),
    columns: columns.map(column => ({ ...column, shape: [...column.shape] })),
    carried: [{ name: 'label', type: 'utf8' }],
    manifest: await writer.close(),
    shardSize: 12,
    shards: 2,
    partSchema: 2,
    versions: {},
  };
  await createRun(storage, run);
  return { storage, run };
}

function decoded({ storage, run }: ImageRun, shard: number, signal: AbortSignal): AsyncGenerator<DecodedBatch> {
  return readShard({
    run,
    shard,
    manifest: openManifestReader(storage, RUN_ID),
    pool,
    buffers: openBatchBuffers(),
    signal,
  });
}

function work(imageRun: ImageRun, shard: number, fields: Partial<ShardWork> = {}): Promise<ShardReceipt> {
  const signal = fields.signal ?? new AbortController().signal;
  return processShard({
    ...imageRun,
    shard,
    attempt: 1,
    batches: decoded(imageRun, shard, signal),
    extractors: [channelMeans()],
    worker: { host: 'machine', name: 'worker', pid: 1 },
    versions: { engine: '1' },
    signal,
    onBatch: () => undefined,
    ...fields,
  });
}

/** All rows of a shard's part as plain objects. */
async function rowsIn({ storage }: ImageRun, receipt: ShardReceipt, format: 'parquet' | 'arrow') {
  const file = receipt.files.find(candidate => candidate.format === format);
  if (file === undefined) throw new Error(`Expected a part of format ${format}`);
  const rows: Record<string, unknown>[] = [];
  for await (const batch of readPart(join(storage.root, file.path), format)) {
    for (const row of batch) rows.push({ ...row?.toJSON() });
  }
  return rows;
}

function numbers(value: unknown): readonly number[] {
  return Array.from(value as Iterable<number>);
}

describe('a shard', () => {
  it('has every sample as one row in order, with its features or why there are none', async () => {
    const images = await imageRun();
    const receipts = [await work(images, 0), await work(images, 1)];
    for (const format of ['parquet', 'arrow'] as const) {
      const rows = [];
      for (const receipt of receipts) rows.push(...(await rowsIn(images, receipt, format)));
      expect(rows.map(row => row.sample_id)).toEqual(paths.map((_, index) => `image ${index}`));
      expect(rows.map(row => row.uri)).toEqual(paths);
      expect(rows.map(row => row.label)).toEqual(paths.map((_, index) => (index % 2 === 0 ? 'even' : null)));
      expect(rows.map(row => row.error_code)).toEqual(paths.map((_, index) => BROKEN[index] ?? null));
      for (const [index, row] of rows.entries()) {
        const failed = BROKEN[index] !== undefined;
        expect(row.status).toBe(failed ? 'failed' : 'ok');
        if (failed) {
          expect(row).toMatchObject({ width: null, height: null });
          for (const values of [row.means, row.pixels]) expect(numbers(values).every(Number.isNaN)).toBe(true);
          expect(row.error_message).toMatch(/\w+/);
        } else {
          expect(row).toMatchObject({ width: 20 + index, height: 10, error_message: null });
          numbers(row.means).forEach((mean, channel) => {
            expect(Math.abs(mean - (colourOf(index)[channel] ?? 0))).toBeLessThan(2);
          });
        }
      }
    }
  });

  it('says in its receipt what was done, and the run verifies', async () => {
    const images = await imageRun();
    const receipt = await work(images, 0, { attempt: 2 });
    await work(images, 1);
    expect(receipt).toMatchObject({
      shard: 0,
      fingerprint: images.run.fingerprint,
      rows: 12,
      ok: 8,
      failed: 4,
      failures: { 'not-found': 1, 'empty-file': 1, 'unsupported-format': 1, 'corrupt-image': 1 },
      attempt: 2,
      worker: { host: 'machine', name: 'worker', pid: 1 },
      versions: { engine: '1' },
    });
    expect(await readReceipt(images.storage, images.run, 0)).toEqual(receipt);
    expect(receipt.seconds.decode).toBeGreaterThan(0);
    expect(await verifyRun(images.storage, images.run)).toEqual({ rows: 15, ok: 8, failed: 7, damages: [] });
  });

  it('has the digest of each file that could be read, broken or not', async () => {
    const images = await imageRun();
    const rows = await rowsIn(images, await work(images, 0), 'arrow');
    for (const [index, row] of rows.entries()) {
      const bytes = BROKEN[index] === 'not-found' ? undefined : await readFile(paths[index] ?? '');
      const digest = bytes === undefined ? null : createHash('sha256').update(bytes).digest('hex');
      expect(row.sha256).toBe(digest);
    }
  });

  it('runs whole batches and spares the extractor one in which every image failed', async () => {
    const images = await imageRun();
    const [first, second] = [channelMeans(), channelMeans()];
    const reported: [number, number][] = [];
    await work(images, 0, { extractors: [first], onBatch: (rows, failed) => reported.push([rows, failed]) });
    await work(images, 1, { extractors: [second] });
    expect(first.batches).toEqual([4, 4, 4]);
    expect(reported).toEqual([
      [4, 1],
      [4, 2],
      [4, 1],
    ]);
    expect(second.batches).toEqual([]);
  });

  it('has features that do not depend on the broken neighbours of an image', async () => {
    const images = await imageRun();
    const alone = await imageRun({ batch: 1 });
    const [together, apart] = [
      await rowsIn(images, await work(images, 0), 'arrow'),
      await rowsIn(alone, await work(alone, 0), 'arrow'),
    ];
    for (const [index, row] of together.entries()) {
      if (BROKEN[index] !== undefined) continue;
      expect(numbers(row.pixels)).toEqual(numbers(apart[index]?.pixels));
      expect(numbers(row.pixels)).toHaveLength(sizeOfShape(PIXELS.shape));
    }
  });

  it('pools what the request says', async () => {
    const images = await imageRun({ pool: 'mean' });
    const rows = await rowsIn(images, await work(images, 0), 'parquet');
    for (const row of rows.filter(({ status }) => status === 'ok')) {
      numbers(row.pixels).forEach((value, channel) => {
        expect(value).toBeCloseTo(numbers(row.means)[channel] ?? Number.NaN, 3);
      });
    }
  });

  it('writes a column for each pooling, in the type of the request', async () => {
    const plain = await imageRun();
    const images = await imageRun({
      pool: ['mean', 'grid:2x3'],
      normalize: 'l2',
      dtype: 'float16',
      predictions: ['means'],
    });
    const columns = [
      { ...MEANS, dtype: 'float16' as const, shape: [3] },
      { name: 'pixels@mean', dtype: 'float16' as const, shape: [3] },
      { name: 'pixels@grid:2x3', dtype: 'float16' as const, shape: [2, 3, 3] },
    ];
    const run = { ...images.run, columns };
    const rows = await rowsIn(images, await work({ ...images, run }, 0), 'parquet');
    const expected = await rowsIn(plain, await work(plain, 0), 'parquet');
    const ok = rows.flatMap((row, index) => (row.status === 'ok' ? [[row, expected[index]] as const] : []));
    expect(ok.length).toBeGreaterThan(5);
    for (const [row, full] of ok) {
      const means = numbers(full?.means);
      const length = Math.hypot(...means);
      numbers(row.means).forEach((value, i) => {
        expect(value).toBeCloseTo(means[i] ?? Number.NaN, 0);
      });
      numbers(row['pixels@mean']).forEach((value, i) => {
        expect(value).toBeCloseTo((means[i] ?? Number.NaN) / length, 3);
      });
      expect(Math.hypot(...numbers(row['pixels@grid:2x3']))).toBeCloseTo(1, 2);
    }
  });

  it('names in each part the versions that made it, beside the recipe', async () => {
    const images = await imageRun();
    for (const file of (await work(images, 0)).files) {
      const { metadata } = await readPartSchema(join(images.storage.root, file.path), file.format);
      expect(JSON.parse(metadata.get('layertap.versions') ?? '')).toEqual({ engine: '1' });
      expect(JSON.parse(metadata.get('layertap.recipe') ?? '')).toMatchObject({ quality: 'exact', scale: 1 });
    }
  });

  it('counts in its receipt what looks wrong in its features, and tells of it once', async () => {
    const images = await imageRun();
    const told: unknown[] = [];
    const sound = await work(images, 0, { onWarnings: warnings => told.push(...warnings) });
    expect([sound.warnings, told]).toEqual([{}, []]);
    const broken = channelMeans();
    const run = broken.run.bind(broken);
    const extractor = {
      ...broken,
      async run(input: TensorData): Promise<readonly TensorData[]> {
        const [means, pixels] = await run(input);
        if (means === undefined || pixels === undefined) throw new Error('two layers');
        return [
          { ...means, data: means.data.map(() => 0.5) },
          { ...pixels, data: pixels.data.map(() => Number.NaN) },
        ];
      },
    };
    const receipt = await work(await imageRun(), 0, {
      extractors: [extractor],
      onWarnings: warnings => told.push(...warnings),
    });
    expect(receipt.warnings).toEqual({ 'constant-layer': receipt.ok, 'not-finite': receipt.ok });
    expect(told).toEqual([
      { column: 'means', counts: { 'constant-layer': receipt.ok } },
      { column: 'pixels', counts: { 'not-finite': receipt.ok } },
    ]);
  });

  it('has the same bytes when it is done again elsewhere', async () => {
    const [one, two] = [await imageRun(), await imageRun()];
    const [first, second] = [await work(one, 0), await work(two, 0)];
    expect(second.files).toEqual(first.files);
    expect(await pathsIn(two.storage, 'parts')).toEqual(await pathsIn(one.storage, 'parts'));
  });

  it('done twice gives back the receipt that stands', async () => {
    const images = await imageRun();
    const first = await work(images, 0);
    expect(await work(images, 0, { attempt: 2 })).toEqual(first);
    expect(await pathsIn(images.storage, 'parts')).toHaveLength(2);
  });
});

describe('a shard that is given up leaves neither part nor receipt nor unfinished file', () => {
  async function expectNothing({ storage }: ImageRun): Promise<void> {
    expect(await pathsIn(storage, 'parts')).toEqual([]);
    expect(await pathsIn(storage, 'receipts')).toEqual([]);
  }

  it('when it is aborted before it began', async () => {
    const images = await imageRun();
    await expect(work(images, 0, { signal: AbortSignal.abort(new Error('taken back')) })).rejects.toThrow('taken back');
    await expectNothing(images);
  });

  it('when it is aborted between two batches', async () => {
    const images = await imageRun();
    const abort = new AbortController();
    const working = work(images, 0, {
      signal: abort.signal,
      onBatch: () => abort.abort(new Error('the lock was lost')),
    });
    await expect(working).rejects.toThrow('the lock was lost');
    await expectNothing(images);
  });

  it('when it is aborted after its last batch', async () => {
    const images = await imageRun();
    const abort = new AbortController();
    let batches = 0;
    const working = work(images, 0, {
      signal: abort.signal,
      onBatch: () => {
        if (++batches === 3) abort.abort(new Error('the lock was lost'));
      },
    });
    await expect(working).rejects.toThrow('the lock was lost');
    await expectNothing(images);
  });

  it('when the extractor throws', async () => {
    const images = await imageRun();
    const extractor = { ...channelMeans(), run: () => Promise.reject(new Error('out of memory')) };
    await expect(work(images, 0, { extractors: [extractor] })).rejects.toThrow('out of memory');
    await expectNothing(images);
  });

  it('when the extractor gives fewer rows than the batch has', async () => {
    const images = await imageRun();
    const whole = channelMeans();
    const extractor: Extractor = {
      ...whole,
      run: async input => (await whole.run(input)).map(output => ({ ...output, data: output.data.slice(0, 3) })),
    };
    await expect(work(images, 0, { extractors: [extractor] })).rejects.toThrow(
      "Expected 4 rows of shape [3] for layer 'means'",
    );
    await expectNothing(images);
  });

  it('when rows went missing on the way', async () => {
    const images = await imageRun();
    async function* allButTheLast(): AsyncGenerator<DecodedBatch> {
      let batches = 0;
      for await (const batch of decoded(images, 0, new AbortController().signal)) if (++batches < 3) yield batch;
    }
    await expect(work(images, 0, { batches: allButTheLast() })).rejects.toThrow(
      'Expected 12 rows in shard 0 but received 8',
    );
    await expectNothing(images);
  });

  it('when the decode pool fails', async () => {
    const images = await imageRun();
    const closed = await openDecodePool({ threads: 1 });
    await closed.close();
    const signal = new AbortController().signal;
    const manifest = openManifestReader(images.storage, RUN_ID);
    const batches = readShard({
      run: images.run,
      shard: 0,
      manifest,
      pool: closed,
      buffers: openBatchBuffers(),
      signal,
    });
    await expect(work(images, 0, { batches })).rejects.toThrow('closed');
    await expectNothing(images);
  });
});
