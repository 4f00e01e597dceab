// Reads parts back as Arrow batches, whichever format they have: for verification and tests.
import { open } from 'node:fs/promises';
import { type RecordBatch, RecordBatchReader } from 'apache-arrow';
import { readParquet } from './parquet.ts';
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
    for await (const batch of await RecordBatchReader.from(handle))
      yield columns === undefined ? batch : batch.select([...columns]);
  } finally {
    await handle.close();
  }
}
