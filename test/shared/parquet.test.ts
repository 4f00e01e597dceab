// Parquet files to Arrow batches and back: values, metadata, row groups of bounded rows, flat memory.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RecordBatch } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { encodeRows } from '../../services/worker/src/serialize.ts';
import { runCommand } from '../../setup/src/command.ts';
import { readParquet, summarizeParquet, writeParquet } from '../../shared/src/parquet.ts';
import { rowSchema } from '../../shared/src/row-schema.ts';
import { decodeTensor } from '../../shared/src/tensor.ts';
import { createSmallRun, featuresOf, rowsOf, type SmallRun } from '../support/small-run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

function* batchesOf(small: SmallRun, batchRows: number): Generator<RecordBatch> {
  const schema = rowSchema(small.run);
  for (let first = 0; first < small.run.manifest.rows; first += batchRows) {
    const count = Math.min(batchRows, small.run.manifest.rows - first);
    yield encodeRows(schema, small.run.columns, rowsOf(small, first, count), featuresOf(small.run, first, count));
  }
}

async function* oneByOne<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

async function writeFileOf(path: string, batches: Iterable<RecordBatch>, rowGroupRows: number): Promise<void> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeParquet(oneByOne(batches), { rowGroupRows })) chunks.push(chunk);
  await writeFile(path, Buffer.concat(chunks));
}

async function collect(path: string, columns?: readonly string[]): Promise<readonly RecordBatch[]> {
  const batches: RecordBatch[] = [];
  for await (const batch of readParquet(path, columns)) batches.push(batch);
  return batches;
}

/** A run of 50 rows, three of them failed, and its file in row groups of at most 8 rows. */
async function writtenRun(): Promise<{ readonly small: SmallRun; readonly path: string }> {
  const folder = await temporaryFolder();
  const small = await createSmallRun(join(folder, 'out'), { rows: 50, failedRows: [0, 7, 49] });
  const path = join(folder, 'part.parquet');
  await writeFileOf(path, batchesOf(small, 7), 8);
  return { small, path };
}

describe('a Parquet file', () => {
  it('gives back every row in order, values and nulls', async () => {
    const { small, path } = await writtenRun();
    const expected = [...batchesOf(small, 50)][0];
    const rows = (await collect(path)).flatMap(batch => [...batch].map(row => JSON.stringify(row?.toJSON(), plain)));
    expect(rows).toEqual([...(expected ?? [])].map(row => JSON.stringify(row?.toJSON(), plain)));
    expect(rows).toHaveLength(50);
  });

  it('gives back the metadata of schema and tensor columns', async () => {
    const { small, path } = await writtenRun();
    const { rows, schema } = await summarizeParquet(path);
    expect(rows).toBe(50);
    expect(schema.metadata.get('layertap.fingerprint')).toBe(small.run.fingerprint);
    expect(JSON.parse(schema.metadata.get('layertap.recipe') ?? '')).toEqual(small.run.request.recipe);
    const tensor = schema.fields.find(({ name }) => name === 'block/conv');
    expect(tensor?.metadata.get('ARROW:extension:metadata')).toBe('{"shape":[4,4,8]}');
  });

  it('has row groups of no more rows than asked for, however the batches came', async () => {
    const { path } = await writtenRun();
    const sizes = (await collect(path)).map(({ numRows }) => numRows);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(8);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(50);
  });

  it('reads the named columns alone', async () => {
    const { path } = await writtenRun();
    const [first] = await collect(path, ['sample_id', 'block/conv']);
    expect(first?.schema.names).toEqual(['sample_id', 'block/conv']);
  });

  it('gives features back bit for bit', async () => {
    const { small, path } = await writtenRun();
    const [, second] = await collect(path);
    const field = second?.schema.fields.find(({ name }) => name === 'avg_pool');
    const vector = second?.getChild('avg_pool');
    if (field === undefined || vector === undefined || vector === null) throw new Error('Expected the column');
    expect(decodeTensor(field, vector).data).toEqual(featuresOf(small.run, 8, second?.numRows ?? 0)[1]?.data);
  });

  it('throws what its source of batches throws', async () => {
    const { small, path } = await writtenRun();
    function* failing(): Generator<RecordBatch> {
      yield* batchesOf(small, 7);
      throw new Error('the source broke');
    }
    await expect(writeFileOf(path, failing(), 8)).rejects.toThrow('the source broke');
  });

  it('is refused when it is cut short', async () => {
    const { path } = await writtenRun();
    await writeFile(path, 'PAR1 and no more');
    await expect(collect(path)).rejects.toThrow();
  });
});

describe('streaming', () => {
  it('writes 2 GB of a layer with 1 MB a row at flat memory', async () => {
    const script = fileURLToPath(new URL('../support/stream-large-layer.ts', import.meta.url));
    const result = await runCommand(process.execPath, ['--import', 'tsx', script, '2000']);
    expect(result.stderr).toBe('');
    const { bytes, growthMb } = JSON.parse(result.stdout) as { readonly bytes: number; readonly growthMb: number };
    expect(bytes).toBeGreaterThan(2_000_000_000);
    expect(growthMb).toBeLessThan(800);
  });
});

/** Makes int64 and tensors comparable as JSON. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'object' && value !== null && Symbol.iterator in value) return [...(value as Iterable<unknown>)];
  return value;
}
