// Reading a shard: batches of the request's size, in order, a few ahead of whoever takes them.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openBatchBuffers } from '../../../services/worker/src/batch-buffers.ts';
import type { DecodedSample, DecodePool } from '../../../services/worker/src/decode-pool.ts';
import type { CrashRecord } from '../../../services/worker/src/quarantine.ts';
import { type DecodedBatch, readShard } from '../../../services/worker/src/read.ts';
import { manifestPath } from '../../../shared/src/manifest.ts';
import { openManifestReader } from '../../../shared/src/manifest-reader.ts';
import type { TensorData } from '../../../shared/src/tensor.ts';
import { refusalOf } from '../../support/refusal.ts';
import { createSmallRun, type SmallRun } from '../../support/small-run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** The null engine's way, without images: 10 rows in shards of 4, batches of 3. */
async function smallRun(): Promise<SmallRun> {
  return createSmallRun(await temporaryFolder(), { rows: 10, shardSize: 4 });
}

function read(small: SmallRun, shard: number, signal = new AbortController().signal): AsyncGenerator<DecodedBatch> {
  return readShard({
    run: small.run,
    shard,
    manifest: openManifestReader(small.storage, small.run.runId),
    pool: undefined,
    buffers: openBatchBuffers(),
    signal,
  });
}

async function idsOf(batches: AsyncIterable<DecodedBatch>): Promise<readonly (readonly string[])[]> {
  const ids: (readonly string[])[] = [];
  for await (const { rows } of batches) ids.push(rows.map(({ sample }) => sample.sampleId));
  return ids;
}

async function batchesOf(batches: AsyncIterable<DecodedBatch>): Promise<readonly DecodedBatch[]> {
  const all: DecodedBatch[] = [];
  for await (const batch of batches) all.push(batch);
  return all;
}

describe('readShard', () => {
  it('gives the rows of its shard in batches, in order, the last one shorter', async () => {
    const small = await smallRun();
    const ids = small.samples.map(({ sampleId }) => sampleId);
    expect(await idsOf(read(small, 0))).toEqual([ids.slice(0, 3), ids.slice(3, 4)]);
    expect(await idsOf(read(small, 2))).toEqual([ids.slice(8, 10)]);
  });

  it('gives rows without an image where there is no decode pool', async () => {
    const { value: first } = (await read(await smallRun(), 0).next()) as IteratorYieldResult<DecodedBatch>;
    expect(first.inputs.map(({ shape }) => shape)).toEqual([[3, 0]]);
    expect(first.rows[0]).toMatchObject({ sha256: null, size: null, failure: undefined });
  });

  it('throws when its signal is aborted', async () => {
    const signal = AbortSignal.abort(new Error('taken back'));
    await expect(idsOf(read(await smallRun(), 0, signal))).rejects.toThrow('taken back');
  });

  it('throws what is wrong with the manifest', async () => {
    const small = await smallRun();
    await small.storage.remove(manifestPath(small.run.runId, 0));
    await refusalOf(() => idsOf(read(small, 0)), 'run-unreadable');
  });

  it('may be left before its end, or before its beginning', async () => {
    const small = await smallRun();
    const batches = read(small, 0);
    await batches.next();
    await batches.return(undefined);
    expect((await batches.next()).done).toBe(true);
    expect((await read(small, 0).return(undefined)).done).toBe(true);
  });

  it('reads many batches into the same memory, where failed images leave zeros behind', async () => {
    const small = await createSmallRun(await temporaryFolder(), { rows: 30, shardSize: 30 });
    const pool: DecodePool = {
      async prepare({ uri, inputs }): Promise<DecodedSample> {
        for (const { into } of inputs) into.fill(7);
        const seconds = { read: 0, decode: 0 };
        if (uri.includes('5')) {
          return { sha256: null, result: { ok: false, failure: { code: 'corrupt-image', message: '' } }, seconds };
        }
        return { sha256: null, result: { ok: true, size: { width: 1, height: 1 } }, seconds };
      },
      close: async () => undefined,
    };
    const buffers = new Set<ArrayBufferLike>();
    const manifest = openManifestReader(small.storage, small.run.runId);
    const options = { run: small.run, shard: 0, manifest, pool, buffers: openBatchBuffers() };
    for await (const batch of readShard({ ...options, signal: new AbortController().signal })) {
      const { rows } = batch;
      const input = batch.inputs[0] as TensorData;
      buffers.add(input.data.buffer);
      const size = input.data.length / rows.length;
      rows.forEach(({ failure }, row) => {
        const values = new Set(input.data.subarray(row * size, (row + 1) * size));
        expect(values).toEqual(new Set([failure === undefined ? 7 : 0]));
      });
    }
    // Of ten batches: the one at work and two ahead of it.
    expect(buffers.size).toBeLessThanOrEqual(3);
  });

  describe('hands over a batch', () => {
    const quick = { reading: 0.01, decoding: 1 };
    it.each([
      {
        when: 'when the next ones have been decoded too, where the two take turns',
        ...quick,
        takeTurns: true,
        of: 3,
      },
      { when: 'as soon as it has been decoded, where they do not', ...quick, takeTurns: false, of: 1 },
      { when: 'as soon as it has been decoded, from a slow disk', ...quick, reading: 1, takeTurns: true, of: 1 },
      { when: 'as soon as it has been decoded, where that takes long', ...quick, decoding: 60, takeTurns: true, of: 1 },
    ])('$when', async ({ reading, decoding, takeTurns, of }) => {
      const small = await createSmallRun(await temporaryFolder(), { rows: 30, shardSize: 30 });
      const { batch } = small.run.request;
      /** The pool decodes what the test lets it. */
      const posted: (() => void)[] = [];
      const pool: DecodePool = {
        prepare(): Promise<DecodedSample> {
          const sample = { sha256: null, result: { ok: true, size: { width: 1, height: 1 } } } as const;
          const seconds = { read: reading, decode: decoding };
          return new Promise(resolve => posted.push(() => resolve({ ...sample, seconds })));
        },
        close: async () => undefined,
      };
      const manifest = openManifestReader(small.storage, small.run.runId);
      const { signal } = new AbortController();
      const options = { run: small.run, shard: 0, manifest, pool, buffers: openBatchBuffers(), signal, takeTurns };
      let handedOver = false;
      const first = readShard(options)
        .next()
        .then(result => {
          handedOver = true;
          return result;
        });
      for (let decoded = 0; decoded < of * batch; decoded++) {
        expect(handedOver).toBe(false);
        while (posted.length <= decoded) await turn();
        posted[decoded]?.();
        await turn();
      }
      expect((await first).value?.rows).toHaveLength(batch);
      expect(posted).toHaveLength(3 * batch);
    });
  });

  it('decodes no image that is in quarantine, and none but the rows that are wanted', async () => {
    const small = await smallRun();
    const looked: string[] = [];
    const pool: DecodePool = {
      async prepare({ uri, inputs }): Promise<DecodedSample> {
        looked.push(uri);
        for (const { into } of inputs) into.fill(7);
        return {
          sha256: 'ok',
          result: { ok: true, size: { width: 1, height: 1 } },
          seconds: { read: 0, decode: 0 },
        };
      },
      close: async () => undefined,
    };
    const [sample] = small.samples.slice(5);
    const record: CrashRecord = {
      version: 1,
      shard: 1,
      row: 1,
      sampleId: `${sample?.sampleId}`,
      uri: `${sample?.uri}`,
      sha256: 'known',
      death: 'ended by SIGSEGV',
      copy: null,
      reproduce: null,
    };
    const options = {
      run: small.run,
      shard: 1,
      manifest: openManifestReader(small.storage, small.run.runId),
      pool,
      buffers: openBatchBuffers(),
      signal: new AbortController().signal,
      quarantined: new Map([[1, record]]),
    };
    const [first] = await batchesOf(readShard(options));
    expect(first?.rows.map(({ sha256, failure }) => [sha256, failure?.code])).toEqual([
      ['ok', undefined],
      ['known', 'crashed-worker'],
      ['ok', undefined],
    ]);
    expect(looked).toEqual([4, 6, 7].map(row => small.samples[row]?.uri));
    const only = await idsOf(readShard({ ...options, only: [0, 3] }));
    expect(only).toEqual([[4, 7].map(row => small.samples[row]?.sampleId)]);
    expect(await idsOf(readShard({ ...options, only: [] }))).toEqual([]);
  });

  it('makes rows of images that are gone, and refuses where the whole source is', async () => {
    const small = await smallRun();
    const source = await temporaryFolder();
    const samples = small.samples.map(({ sampleId }) => ({ sampleId, uri: join(source, sampleId), carried: [] }));
    const batches = (): AsyncGenerator<DecodedBatch> =>
      readShard({
        run: { ...small.run, source },
        shard: 1,
        manifest: {
          async *read(first, rows) {
            yield* samples.slice(first, first + rows);
          },
        },
        pool: SEES_NOTHING,
        buffers: openBatchBuffers(),
        signal: new AbortController().signal,
      });
    const { message } = await refusalOf(() => idsOf(batches()), 'source-unreadable');
    expect(message).toContain(`'${source}'`);
    await writeFile(join(source, 'one that is there.jpg'), '');
    expect((await idsOf(batches())).flat()).toHaveLength(4);
  });
});

const SEES_NOTHING: DecodePool = {
  prepare: async () => ({
    sha256: null,
    result: { ok: false, failure: { code: 'not-found', message: 'there is no such file' } },
    seconds: { read: 0, decode: 0 },
  }),
  close: async () => undefined,
};
