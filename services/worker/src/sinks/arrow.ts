// Parts as Arrow IPC files (Feather version 2), uncompressed: readers map them into memory.
import { RecordBatchFileWriter, type Schema, util } from 'apache-arrow';
import type { Sink, SinkFormat } from '../sink.ts';

export const arrowSink: SinkFormat = { name: 'arrow', extension: 'arrow', open: openArrowSink };

function openArrowSink(schema: Schema, write: (bytes: Uint8Array) => Promise<void>): Sink {
  const writer = new CollectingWriter();
  writer.reset(undefined, schema);

  async function flush(): Promise<void> {
    for (const chunk of writer.takeChunks()) await write(chunk);
  }

  return {
    async write(batch): Promise<void> {
      // A writer that meets another schema closes without a word; the rows would be gone.
      if (!util.compareSchemas(schema, batch.schema)) throw new Error('Expected a batch with the schema of its part');
      writer.write(batch);
      await flush();
    },
    async close(): Promise<void> {
      writer.finish();
      await flush();
    },
    async abort(): Promise<void> {
      writer.takeChunks();
    },
  };
}

/** Hands its bytes over after every batch instead of queueing the whole file. */
class CollectingWriter extends RecordBatchFileWriter {
  #chunks: Uint8Array[] = [];

  takeChunks(): readonly Uint8Array[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    return chunks;
  }

  protected override _write(chunk: ArrayBufferView | ArrayBuffer): this {
    const bytes = ArrayBuffer.isView(chunk)
      ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      : new Uint8Array(chunk);
    if (bytes.byteLength > 0) {
      this.#chunks.push(bytes);
      this._position += bytes.byteLength;
    }
    return this;
  }
}
