// Parts as Parquet files: zstd, row groups of bounded bytes, the tensor type in the Arrow schema metadata.
import { makeBuilder, makeData, RecordBatch, type Schema, Struct, util } from 'apache-arrow';
import { writeParquet } from '../../../../shared/src/parquet.ts';
import { bytesPerRow, featureOfField } from '../../../../shared/src/tensor.ts';
import type { Sink, SinkFormat } from '../sink.ts';

/** A row group is held in memory until it is written: this bounds it, whatever the layer's size. */
const ROW_GROUP_BYTES = 32 * 1024 * 1024;
const ROW_GROUP_MAX_ROWS = 65_536;

export const parquetSink: SinkFormat = { name: 'parquet', extension: 'parquet', open: openParquetSink };

function openParquetSink(schema: Schema, write: (bytes: Uint8Array) => Promise<void>): Sink {
  const handover = createHandover<RecordBatch>();
  let empty = true;
  const written = (async (): Promise<void> => {
    for await (const chunk of writeParquet(handover.items(), { rowGroupRows: rowGroupRows(schema) }))
      await write(chunk);
  })();
  // The failure is thrown to whoever writes or closes; without this it would count as unhandled until then.
  written.catch(error => handover.fail(error));

  return {
    async write(batch): Promise<void> {
      if (!util.compareSchemas(schema, batch.schema)) throw new Error('Expected a batch with the schema of its part');
      empty = false;
      // The file takes the metadata of its first batch: equal fields alone would lose it.
      await handover.put(batch.schema === schema ? batch : new RecordBatch(schema, batch.data));
    },
    async close(): Promise<void> {
      // The schema reaches the file with the first batch: a part without rows still needs one.
      if (empty) await handover.put(emptyBatch(schema));
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

function emptyBatch(schema: Schema): RecordBatch {
  const children = schema.fields.map(({ type }) => makeBuilder({ type }).flush());
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: 0, nullCount: 0, children }));
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
  interface Put {
    readonly item: T;
    readonly taken: () => void;
    readonly failed: (error: unknown) => void;
  }
  let pending: Put | undefined;
  /** Handed over, but the reader has not come back for more: it may never do so when it fails. */
  let inHand: Put | undefined;
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
      inHand?.failed(failure.error);
      pending = undefined;
      inHand = undefined;
      wake();
    },
    async *items(): AsyncGenerator<T> {
      for (;;) {
        if (failure !== undefined) throw failure.error;
        if (pending !== undefined) {
          inHand = pending;
          pending = undefined;
          yield inHand.item;
          inHand?.taken();
          inHand = undefined;
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
