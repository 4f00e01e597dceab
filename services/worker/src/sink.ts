// The sink contract: a part file of one format, written batch by batch. Implementations stand in sinks/.
import type { RecordBatch, Schema } from 'apache-arrow';
import { arrowSink } from './sinks/arrow.ts';
import { parquetSink } from './sinks/parquet.ts';

export interface Sink {
  /** Batches must have exactly the schema that the sink was opened with. Resolves when there is room for another. */
  write(batch: RecordBatch): Promise<void>;
  /** Writes the end of the file. */
  close(): Promise<void>;
  /** Stops without finishing the file; safe to call after `close`. */
  abort(): Promise<void>;
}

export interface SinkFormat {
  readonly name: 'parquet' | 'arrow';
  /** File name extension without the dot. */
  readonly extension: string;
  /** @param write takes the file's bytes in order; awaited before the next call */
  open(schema: Schema, write: (bytes: Uint8Array) => Promise<void>): Sink;
}

/** A new format is one file in sinks/ and one line here. */
export const SINK_FORMATS: Readonly<Record<SinkFormat['name'], SinkFormat>> = {
  parquet: parquetSink,
  arrow: arrowSink,
};
