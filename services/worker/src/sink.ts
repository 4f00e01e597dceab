// The sink contract: a part file of one format, written batch by batch. Implementations stand in sinks/.
import type { RecordBatch, Schema } from 'apache-arrow';

export interface Sink {
  /** Batches must have exactly the schema that the sink was opened with. Resolves when the bytes are handed on. */
  write(batch: RecordBatch): Promise<void>;
  /** Writes the end of the file; resolves with the rows that it holds. */
  close(): Promise<{ readonly rows: number }>;
  /** Stops without finishing the file; safe to call after `close`. */
  abort(): Promise<void>;
}

export interface SinkFormat {
  readonly name: 'parquet' | 'arrow';
  /** File name extension without the dot. */
  readonly extension: string;
  /** @param write takes the file's bytes in order; awaited before the next call */
  open(schema: Schema, write: (bytes: Uint8Array) => Promise<void>): Promise<Sink>;
}
