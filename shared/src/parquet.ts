// Parquet files ⇄ Arrow record batches, streamed. The one owner of parquet-wasm.
import { openAsBlob } from 'node:fs';
import { type RecordBatch, RecordBatchReader, RecordBatchStreamWriter, type Schema, tableFromIPC } from 'apache-arrow';
// biome-ignore lint/style/noRestrictedImports: this is the one file that may.
import type * as ParquetWasm from 'parquet-wasm/node';

let library: Promise<typeof ParquetWasm> | undefined;

/** Loaded on first use: the module compiles 6 MB of WebAssembly. */
function loadParquet(): Promise<typeof ParquetWasm> {
  // biome-ignore lint/style/noRestrictedImports: this is the one file that may.
  library ??= import('parquet-wasm/node');
  return library;
}

export interface WriteParquetOptions {
  /** Rows that are held in memory until their row group is written. */
  readonly rowGroupRows: number;
}

/**
 * The bytes of one Parquet file (zstd, no dictionaries: features do not repeat) that holds the batches.
 * At most one row group is in memory, inside the WebAssembly heap.
 */
export async function* writeParquet(
  batches: AsyncIterable<RecordBatch>,
  options: WriteParquetOptions,
): AsyncGenerator<Uint8Array> {
  const parquet = await loadParquet();
  const properties = new parquet.WriterPropertiesBuilder()
    .setCompression(parquet.Compression.ZSTD)
    .setDictionaryEnabled(false)
    .setMaxRowGroupSize(options.rowGroupRows)
    .setCreatedBy('layertap')
    .build();
  const iterator = batches[Symbol.asyncIterator]();
  // parquet-wasm ends the file in good order when its input fails: the failure is kept and thrown here.
  let failure: { readonly error: unknown } | undefined;
  const input = new ReadableStream<ParquetWasm.RecordBatch>(
    {
      async pull(controller): Promise<void> {
        try {
          const next = await iterator.next();
          if (next.done === true) {
            controller.close();
            return;
          }
          const table = parquet.Table.fromIPCStream(encodeIpcStream(next.value));
          for (const batch of table.recordBatches()) controller.enqueue(batch);
          table.free();
        } catch (error) {
          failure ??= { error };
          throw error;
        }
      },
      async cancel(): Promise<void> {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
  try {
    const output: ReadableStream<Uint8Array> = await parquet.transformParquetStream(input, properties);
    const reader = output.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (failure !== undefined) throw failure.error;
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw failure === undefined ? error : failure.error;
  }
}

/** Rows [first, first + rows) of a file. */
export interface RowRange {
  readonly first: number;
  readonly rows: number;
}

/** The rows of a batch that lie in a range of its file; undefined where none does. @param first row of the batch in the file */
export function insideOf(batch: RecordBatch, first: number, range: RowRange): RecordBatch | undefined {
  const [begin, end] = [Math.max(range.first, first), Math.min(range.first + range.rows, first + batch.numRows)];
  if (begin >= end) return undefined;
  return end - begin === batch.numRows ? batch : batch.slice(begin - first, end - first);
}

/** The rows of a Parquet file as Arrow batches, in order, one row group at a time; all or those named, columns and rows. */
export async function* readParquet(
  path: string,
  columns?: readonly string[],
  range: RowRange = { first: 0, rows: Number.POSITIVE_INFINITY },
): AsyncGenerator<RecordBatch> {
  const parquet = await loadParquet();
  const file = await parquet.ParquetFile.fromFile(await openAsBlob(path));
  try {
    const metadata = file.metadata();
    const groups = metadata.numRowGroups();
    let first = 0;
    for (let group = 0; group < groups && first < range.first + range.rows; group++) {
      const next = first + metadata.rowGroup(group).numRows();
      if (next <= range.first) {
        first = next;
        continue;
      }
      const table = await file.read({
        rowGroups: [group],
        ...(columns === undefined ? {} : { columns: [...columns] }),
      });
      for (const batch of tableFromIPC(table.intoIPCStream()).batches) {
        const inside = insideOf(batch, first, range);
        if (inside !== undefined) yield inside;
        first += batch.numRows;
      }
      first = next;
    }
  } finally {
    file.free();
  }
}

export interface ParquetSummary {
  readonly rows: number;
  readonly schema: Schema;
}

/** Row count and Arrow schema of a Parquet file, from its footer. */
export async function summarizeParquet(path: string): Promise<ParquetSummary> {
  const parquet = await loadParquet();
  const file = await parquet.ParquetFile.fromFile(await openAsBlob(path));
  try {
    const schema = RecordBatchReader.from(file.schema().intoIPCStream()).open().schema;
    return { rows: file.metadata().fileMetadata().numRows(), schema };
  } finally {
    file.free();
  }
}

/** One batch as an Arrow IPC stream, the form in which it crosses into WebAssembly. */
function encodeIpcStream(batch: RecordBatch): Uint8Array {
  return RecordBatchStreamWriter.writeAll([batch]).toUint8Array(true);
}
