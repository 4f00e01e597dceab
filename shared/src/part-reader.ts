// Reads parts back as Arrow batches, whichever format they have: for verification and tests.
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type RecordBatch, RecordBatchReader, type Schema } from 'apache-arrow';
import { Refusal } from './errors.ts';
import { insideOf, type RowRange, readParquet, summarizeParquet } from './parquet.ts';
import type { PartFile } from './receipt.ts';

/** The rows of one part, batch by batch. `columns` spares reading the others where the format allows it, `range` rows outside. */
export async function* readPart(
  path: string,
  format: PartFile['format'],
  columns?: readonly string[],
  range?: RowRange,
): AsyncGenerator<RecordBatch> {
  if (format === 'parquet') {
    yield* readParquet(path, columns, range);
    return;
  }
  const handle = await open(path, 'r');
  try {
    const reader = await RecordBatchReader.from(handle);
    const batches = range === undefined ? reader : batchesOfRange(path, await reader.open(), range);
    for await (const batch of batches) {
      // Arrow's own select by name leaves the columns at their old places, where they are not found.
      const wanted = columns?.map(name => batch.schema.fields.findIndex(field => field.name === name));
      yield wanted === undefined ? batch : batch.selectAt(wanted);
    }
  } finally {
    await handle.close();
  }
}

/** The rows that a receipt names of one of its files; refuses where the file is missing or damaged. */
export async function* readPartFile(
  root: string,
  file: PartFile,
  columns?: readonly string[],
): AsyncGenerator<RecordBatch> {
  const path = join(root, file.path);
  const range = file.range && { first: file.range.first, rows: file.rows };
  try {
    yield* readPart(path, file.format, columns, range);
  } catch (error) {
    // A Blob of a file that is not there fails with a code of its own.
    const problem = existsSync(path) ? 'cannot be read' : 'is missing';
    throw new Refusal('run-unreadable', `Expected a whole part in '${path}' but it ${problem}`, {
      hint: `\`npx layertap verify ${root}\` lists all that is damaged, \`npx layertap resume ${root} --verify\` does it again.`,
      cause: error,
    });
  }
}

/** Rows per batch of the last Arrow files of which a range was read: an Arrow file does not say them without its batches. */
const batchRows = new Map<string, number[]>();
const FILES_REMEMBERED = 8;

async function* batchesOfRange(path: string, reader: RecordBatchReader, range: RowRange): AsyncGenerator<RecordBatch> {
  if (!reader.isFile()) throw new Error(`Expected an Arrow file in '${path}'`);
  const known = batchRows.get(path) ?? [];
  batchRows.delete(path);
  batchRows.set(path, known);
  const [oldest] = batchRows.keys();
  if (batchRows.size > FILES_REMEMBERED && oldest !== undefined) batchRows.delete(oldest);
  const end = range.first + range.rows;
  let first = 0;
  for (let index = 0; index < reader.numRecordBatches && first < end; index++) {
    const rows = known[index];
    if (rows !== undefined && first + rows <= range.first) {
      first += rows;
      continue;
    }
    const batch = await reader.readRecordBatch(index);
    if (batch === null) throw new Error(`Expected batch ${index} in '${path}' but there is none`);
    known[index] = batch.numRows;
    const inside = insideOf(batch, first, range);
    if (inside !== undefined) yield inside;
    first += batch.numRows;
  }
}

/** The Arrow schema of one part, with its metadata. */
export async function readPartSchema(path: string, format: PartFile['format']): Promise<Schema> {
  if (format === 'parquet') return (await summarizeParquet(path)).schema;
  const handle = await open(path, 'r');
  try {
    const reader = await RecordBatchReader.from(handle);
    return (await reader.open()).schema;
  } finally {
    await handle.close();
  }
}
