// What every sink must do, run over each format by its own test file.
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Field, Int32, makeData, RecordBatch, Schema, Struct, Vector } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { encodeRows } from '../../../../services/worker/src/serialize.ts';
import type { SinkFormat } from '../../../../services/worker/src/sink.ts';
import { readPart, readPartSchema } from '../../../../shared/src/part-reader.ts';
import { rowSchema } from '../../../../shared/src/row-schema.ts';
import { decodeTensor, featureOfField } from '../../../../shared/src/tensor.ts';
import {
  createSmallRun,
  featuresOf,
  featureValue,
  rowsOf,
  type SmallRun,
  type SmallRunOptions,
} from '../../../support/small-run.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

function batchOf(small: SmallRun, schema: Schema, first: number, count: number): RecordBatch {
  return encodeRows(schema, small.run.columns, rowsOf(small, first, count), featuresOf(small.run, first, count));
}

function smallRun(options: SmallRunOptions = {}): Promise<SmallRun> {
  return temporaryFolder().then(folder => createSmallRun(folder, options));
}

/** The bytes that a sink wrote, in order. */
interface Written {
  readonly chunks: Uint8Array[];
  write(bytes: Uint8Array): Promise<void>;
}

function collector(): Written {
  const chunks: Uint8Array[] = [];
  return {
    chunks,
    async write(bytes): Promise<void> {
      // A copy: what a sink hands over may be a view of memory that it uses again.
      chunks.push(bytes.slice());
    },
  };
}

async function readBack(format: SinkFormat, folder: string, written: Written): Promise<readonly RecordBatch[]> {
  const path = join(folder, `part.${format.extension}`);
  await writeFile(path, Buffer.concat(written.chunks));
  const batches: RecordBatch[] = [];
  for await (const batch of readPart(path, format.name)) batches.push(batch);
  return batches;
}

/** Rows of a part written in batches of `batchRows`. */
async function roundTrip(format: SinkFormat, small: SmallRun, batchRows: number): Promise<readonly RecordBatch[]> {
  const schema = rowSchema(small.run);
  const written = collector();
  const sink = format.open(schema, written.write);
  const { rows } = small.run.manifest;
  for (let first = 0; first < rows; first += batchRows) {
    await sink.write(batchOf(small, schema, first, Math.min(batchRows, rows - first)));
  }
  await sink.close();
  return readBack(format, small.root, written);
}

/** A batch of 16 MB that nothing can shrink: a few of them are more than one row group. */
async function wideRun(): Promise<{ readonly schema: Schema; readonly batch: RecordBatch }> {
  const small = await smallRun({ rows: 16, columns: [{ name: 'wide', dtype: 'float32', shape: [512, 512] }] });
  const schema = rowSchema(small.run);
  const data = new Float32Array(new Uint8Array(randomBytes(16 * 512 * 512 * 4)).buffer);
  const features = [{ dtype: 'float32', shape: [16, 512, 512], data }] as const;
  return { schema, batch: encodeRows(schema, small.run.columns, rowsOf(small, 0, 16), features) };
}

function column(batches: readonly RecordBatch[], name: string): readonly unknown[] {
  return batches.flatMap(batch => [...(batch.getChild(name) ?? [])]);
}

/** All values of a feature are NaN. */
function isNothing(value: unknown): boolean {
  return value instanceof Vector && [...value].every(Number.isNaN);
}

export function describeSink(format: SinkFormat): void {
  describe(`the ${format.name} sink`, () => {
    it('writes all rows in order, batches of any size', async () => {
      const small = await smallRun({ rows: 25, failedRows: [0, 9, 24] });
      for (const batchRows of [1, 7, 25]) {
        const batches = await roundTrip(format, small, batchRows);
        expect(column(batches, 'sample_id')).toEqual(small.samples.map(({ sampleId }) => sampleId));
        expect(column(batches, 'uri')).toEqual(small.samples.map(({ uri }) => uri));
      }
    });

    it('keeps carried columns of every type with their nulls', async () => {
      const small = await smallRun({ rows: 12 });
      const batches = await roundTrip(format, small, 5);
      small.run.carried.forEach(({ name }, index) => {
        expect(column(batches, name)).toEqual(small.samples.map(({ carried }) => carried[index]));
      });
    });

    it.each([1, 2] as const)('of schema %i tells failed rows from others, with code and reason', async partSchema => {
      const small = await smallRun({ rows: 6, failedRows: [1, 4], partSchema });
      const batches = await roundTrip(format, small, 4);
      const ok = [0, 1, 2, 3, 4, 5].map(row => !small.failedRows.has(row));
      expect(column(batches, 'status')).toEqual(ok.map(value => (value ? 'ok' : 'failed')));
      expect(column(batches, 'error_code')).toEqual(ok.map(value => (value ? null : 'corrupt-image')));
      expect(column(batches, 'width')).toEqual(ok.map((value, row) => (value ? 640 + row : null)));
      for (const name of ['block/conv', 'avg_pool']) {
        expect(column(batches, name).map(value => value !== null)).toEqual(ok.map(value => value || partSchema === 2));
        if (partSchema === 2) expect(column(batches, name).map(value => !isNothing(value))).toEqual(ok);
      }
    });

    it('keeps every feature bit for bit', async () => {
      const small = await smallRun({ rows: 9 });
      const batches = await roundTrip(format, small, 4);
      small.run.columns.forEach(({ name }, index) => {
        const size = featuresOf(small.run, 0, 1)[index]?.data.length ?? 0;
        let row = 0;
        for (const batch of batches) {
          const field = batch.schema.fields.find(candidate => candidate.name === name);
          const vector = batch.getChild(name);
          if (field === undefined || vector === null) throw new Error(`Expected the column '${name}'`);
          const { data } = decodeTensor(field, vector);
          data.forEach((value, at) => {
            if (value !== featureValue(row + Math.floor(at / size), index, at % size)) {
              throw new Error(`Expected another value in '${name}', row ${row + Math.floor(at / size)}`);
            }
          });
          row += batch.numRows;
        }
        expect(row).toBe(9);
      });
    });

    it('takes a part in which every row failed', async () => {
      const small = await smallRun({ rows: 4, failedRows: [0, 1, 2, 3] });
      const batches = await roundTrip(format, small, 3);
      expect(column(batches, 'block/conv').map(isNothing)).toEqual([true, true, true, true]);
    });

    it('carries fingerprint, recipe and tensor types in the schema', async () => {
      const small = await smallRun();
      await roundTrip(format, small, 4);
      const schema = await readPartSchema(join(small.root, `part.${format.extension}`), format.name);
      expect(schema.metadata.get('layertap.fingerprint')).toBe(small.run.fingerprint);
      expect(JSON.parse(schema.metadata.get('layertap.recipe') ?? '')).toEqual(small.run.request.recipe);
      expect(JSON.parse(schema.metadata.get('layertap.request') ?? '')).toMatchObject({ model: 'demo.json' });
      expect(schema.fields.flatMap(field => featureOfField(field) ?? [])).toEqual(small.run.columns);
    });

    it('carries the metadata of the schema it was opened with, whatever that of its batches', async () => {
      const small = await smallRun({ rows: 4 });
      const schema = rowSchema(small.run);
      const bare = new Schema(schema.fields);
      const written = collector();
      const sink = format.open(schema, written.write);
      await sink.write(batchOf(small, bare, 0, 4));
      await sink.close();
      expect(column(await readBack(format, small.root, written), 'sample_id')).toHaveLength(4);
      const path = join(small.root, `part.${format.extension}`);
      const { metadata } = await readPartSchema(path, format.name);
      expect(metadata.get('layertap.fingerprint')).toBe(small.run.fingerprint);
    });

    it('throws for a batch of another schema and goes on with the right ones', async () => {
      const small = await smallRun({ rows: 4 });
      const schema = rowSchema(small.run);
      const written = collector();
      const sink = format.open(schema, written.write);
      await sink.write(batchOf(small, schema, 0, 2));
      const other = new Schema([new Field('sample_id', new Int32(), false)]);
      const data = makeData({ type: new Int32(), length: 1, nullCount: 0, data: Int32Array.of(1) });
      const struct = makeData({ type: new Struct(other.fields), length: 1, nullCount: 0, children: [data] });
      await expect(sink.write(new RecordBatch(other, struct))).rejects.toThrow('schema of its part');
      await sink.write(batchOf(small, schema, 2, 2));
      await sink.close();
      expect(column(await readBack(format, small.root, written), 'sample_id')).toHaveLength(4);
    });

    it('writes a whole file with the schema when there is not one row', async () => {
      const small = await smallRun({ failedRows: [] });
      const written = collector();
      const sink = format.open(rowSchema(small.run), written.write);
      await sink.close();
      expect(column(await readBack(format, small.root, written), 'sample_id')).toEqual([]);
      const schema = await readPartSchema(join(small.root, `part.${format.extension}`), format.name);
      expect(schema.names).toEqual(rowSchema(small.run).names);
    });

    it('hands bytes over while it goes, not all at the end', async () => {
      const { schema, batch } = await wideRun();
      const written = collector();
      const sink = format.open(schema, written.write);
      for (let time = 0; time < 4; time++) await sink.write(batch);
      const early = written.chunks.length;
      await sink.close();
      expect(early).toBeGreaterThan(0);
    });

    it('throws what its writer throws, from write or close at the latest, and does not hang', async () => {
      const { schema, batch } = await wideRun();
      for (const good of [0, 1]) {
        let calls = 0;
        const sink = format.open(schema, async () => {
          if (calls++ >= good) throw new Error('the disk is full');
        });
        const writing = (async (): Promise<void> => {
          for (let time = 0; time < 16; time++) await sink.write(batch);
          await sink.close();
        })();
        await expect(writing).rejects.toThrow('the disk is full');
        await sink.abort();
      }
    });

    it('throws from close when only the end of the file cannot be written', async () => {
      const small = await smallRun({ rows: 4 });
      const schema = rowSchema(small.run);
      let closing = false;
      const sink = format.open(schema, async () => {
        if (closing) throw new Error('the disk is full');
      });
      await sink.write(batchOf(small, schema, 0, 4));
      closing = true;
      await expect(sink.close()).rejects.toThrow('the disk is full');
    });

    it('stops where it is given up: at once, between batches, after the end and twice', async () => {
      const small = await smallRun({ rows: 4 });
      const schema = rowSchema(small.run);
      for (const steps of [0, 1, 2]) {
        const written = collector();
        const sink = format.open(schema, written.write);
        if (steps > 0) await sink.write(batchOf(small, schema, 0, 4));
        if (steps > 1) await sink.close();
        const before = written.chunks.length;
        await sink.abort();
        await sink.abort();
        expect(written.chunks.length).toBe(before);
        if (steps > 1) expect(column(await readBack(format, small.root, written), 'sample_id')).toHaveLength(4);
      }
    });

    it('writes a good file after others of its kind were given up or failed', async () => {
      const small = await smallRun({ rows: 4 });
      const schema = rowSchema(small.run);
      const failing = format.open(schema, () => Promise.reject(new Error('no')));
      const givenUp = format.open(schema, collector().write);
      await failing.write(batchOf(small, schema, 0, 4)).catch(() => undefined);
      await givenUp.write(batchOf(small, schema, 0, 4));
      await givenUp.abort();
      await expect(failing.close()).rejects.toThrow('no');
      expect(column(await roundTrip(format, small, 2), 'sample_id')).toHaveLength(4);
    });

    it('takes many small batches', async () => {
      const small = await smallRun({ rows: 3000, columns: [{ name: 'x', dtype: 'float32', shape: [1] }] });
      const batches = await roundTrip(format, small, 3);
      expect(column(batches, 'sample_id')).toEqual(small.samples.map(({ sampleId }) => sampleId));
    });

    it('writes the same bytes for the same rows', async () => {
      const small = await smallRun({ rows: 20, failedRows: [3] });
      const schema = rowSchema(small.run);
      const files: Buffer[] = [];
      for (let time = 0; time < 2; time++) {
        const written = collector();
        const sink = format.open(schema, written.write);
        for (let first = 0; first < 20; first += 5) await sink.write(batchOf(small, schema, first, 5));
        await sink.close();
        files.push(Buffer.concat(written.chunks));
      }
      expect(files[0]?.equals(files[1] ?? Buffer.alloc(0))).toBe(true);
    });
  });
}
