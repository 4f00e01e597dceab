// Parts as Parquet files: zstd, row groups of bounded bytes, the tensor type in the Arrow schema metadata.
import { type RecordBatch, type Schema, util } from 'apache-arrow';
import { writeParquet } from '../../../../shared/src/parquet.ts';
import { bytesPerRow, featureOfField } from '../../../../shared/src/tensor.ts';
import type { Sink, SinkFormat } from '../sink.ts';

/** A row group is held in memory until it is written: this bounds it, whatever the layer's size. */
const ROW_GROUP_BYTES = 32 * 1024 * 1024;
const ROW_GROUP_MAX_ROWS = 65_536;

export const parquetSink: SinkFormat = { name: 'parquet', extension: 'parquet', open: openParquetSink };

function openParquetSink(schema: Schema, write: (bytes: Uint8Array) => Promise<void>): Sink {
  const handover = createHandover<RecordBatch>();
  const written = (async (): Promise<void> => {
    for await (const chunk of writeParquet(handover.items(), { rowGroupRows: rowGroupRows(schema) }))
      await write(chunk);
  })();
  // The failure is thrown to whoever writes or closes; without this it would count as unhandled until then.
  written.catch(error => handover.fail(error));

  return {
    async write(batch): Promise<void> {
      if (!util.compareSchemas(schema, batch.schema)) throw new Error('Expected a batch with the schema of its part');
      await handover.put(batch);
    },
    async close(): Promise<void> {
      handover.end();
      await written;
    },
    async abort(): Promise<void> {
      handover.fail(new Error('The part was given up'));
      await written.catch(() => undefined);
    },
  };
}

function rowGroupRows(schema: Schema): number {
  const bytes = schema.fields.reduce((sum, field) => {
    const feature = featureOfField(field);
    return sum + (feature === undefined ? 32 : bytesPerRow(feature));
  }, 0);
  return Math.max(1, Math.min(ROW_GROUP_MAX_ROWS, Math.floor(ROW_GROUP_BYTES / bytes)));
}

interface Handover<T> {
  /** Resolves when the reader has taken the item and asks for the next: one item is in flight at most. */
  put(item: T): Promise<void>;
  end(): void;
  /** The reader's and all writers' calls throw from now on. */
  fail(error: unknown): void;
  items(): AsyncGenerator<T>;
}

/** Turns pushes into pulls, one at a time: Parquet pulls batches, the shard pushes them. */
function createHandover<T>(): Handover<T> {
  let pending: { readonly item: T; readonly taken: () => void; readonly failed: (error: unknown) => void } | undefined;
  let wake: () => void = () => undefined;
  let ended = false;
  let failure: { readonly error: unknown } | undefined;

  return {
    put(item): Promise<void> {
      if (failure !== undefined) return Promise.reject(failure.error);
      return new Promise((taken, failed) => {
        pending = { item, taken, failed };
        wake();
      });
    },
    end(): void {
      ended = true;
      wake();
    },
    fail(error): void {
      failure ??= { error };
      pending?.failed(failure.error);
      pending = undefined;
      wake();
    },
    async *items(): AsyncGenerator<T> {
      for (;;) {
        if (failure !== undefined) throw failure.error;
        if (pending !== undefined) {
          const { item, taken } = pending;
          pending = undefined;
          yield item;
          taken();
        } else if (ended) {
          return;
        } else {
          await new Promise<void>(resolve => {
            wake = resolve;
          });
        }
      }
    },
  };
}
