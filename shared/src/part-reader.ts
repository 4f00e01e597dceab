// Reads parts back as Arrow batches, whichever format they have: for verification and tests.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type RecordBatch, RecordBatchReader, type Schema } from 'apache-arrow';
import { readParquet, summarizeParquet } from './parquet.ts';
import type { PartFile } from './receipt.ts';

/** The rows of one part, batch by batch. `columns` spares reading the others where the format allows it. */
export async function* readPart(
  path: string,
  format: PartFile['format'],
  columns?: readonly string[],
): AsyncGenerator<RecordBatch> {
  if (format === 'parquet') {
    yield* readParquet(path, columns);
    return;
  }
  const handle = await open(path, 'r');
  try {
    for await (const batch of await RecordBatchReader.from(handle)) {
      // Arrow's own select by name leaves the columns at their old places, where they are not found.
      const wanted = columns?.map(name => batch.schema.fields.findIndex(field => field.name === name));
      yield wanted === undefined ? batch : batch.selectAt(wanted);
    }
  } finally {
    await handle.close();
  }
}

/** The rows that a receipt names of one of its files. */
export function readPartFile(
  root: string,
  file: Pick<PartFile, 'path' | 'format'>,
  columns?: readonly string[],
): AsyncGenerator<RecordBatch> {
  return readPart(join(root, file.path), file.format, columns);
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
