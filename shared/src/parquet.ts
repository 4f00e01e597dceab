// Parquet files ⇄ Arrow record batches, streamed. The one owner of parquet-wasm.
import { openAsBlob } from 'node:fs';
import { type RecordBatch, RecordBatchReader, RecordBatchStreamWriter, type Schema, tableFromIPC } from 'apache-arrow';
import type * as ParquetWasm from 'parquet-wasm/node';

let library: Promise<typeof ParquetWasm> | undefined;

/** Loaded on first use: the module compiles 6 MB of WebAssembly. */
function loadParquet(): Promise<typeof ParquetWasm> {
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

/** The rows of a Parquet file as Arrow batches, in order, one row group at a time; all columns or those named. */
export async function* readParquet(path: string, columns?: readonly string[]): AsyncGenerator<RecordBatch> {
  const parquet = await loadParquet();
  const file = await parquet.ParquetFile.fromFile(await openAsBlob(path));
  try {
    const groups = file.metadata().numRowGroups();
    for (let group = 0; group < groups; group++) {
      const table = await file.read({
        rowGroups: [group],
        ...(columns === undefined ? {} : { columns: [...columns] }),
      });
      yield* tableFromIPC(table.intoIPCStream()).batches;
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
