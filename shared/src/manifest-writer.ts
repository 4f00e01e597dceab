// Writes a manifest file by file while the source is walked: memory stays flat at one file.
import { createHash } from 'node:crypto';
import { type Data, makeData, RecordBatch, RecordBatchFileWriter, Struct } from 'apache-arrow';
import { columnOf } from './carried-types.ts';
import {
  type CarriedColumn,
  MANIFEST_BATCH_ROWS,
  MANIFEST_FILE_ROWS,
  manifestPath,
  manifestSchema,
  type Sample,
} from './manifest.ts';
import type { Storage } from './storage.ts';

export interface ManifestSummary {
  readonly rows: number;
  /** SHA-256 over the digests of the files, in order. Hex. */
  readonly digest: string;
}

export interface ManifestWriter {
  add(sample: Sample): Promise<void>;
  close(): Promise<ManifestSummary>;
}

export function openManifestWriter(storage: Storage, runId: string, carried: readonly CarriedColumn[]): ManifestWriter {
  const schema = manifestSchema(carried);
  const digest = createHash('sha256');
  let rows = 0;
  let samples: Sample[] = [];
  let batches: RecordBatch[] = [];

  function endBatch(): void {
    if (samples.length === 0) return;
    const columns: Data[] = schema.fields.map((field, column) => {
      const values = samples.map(sample =>
        column === 0 ? sample.sampleId : column === 1 ? sample.uri : (sample.carried[column - 2] ?? null),
      );
      return columnOf(field.type, values);
    });
    const struct = makeData({
      type: new Struct(schema.fields),
      length: samples.length,
      nullCount: 0,
      children: columns,
    });
    batches.push(new RecordBatch(schema, struct));
    samples = [];
  }

  async function endFile(): Promise<void> {
    endBatch();
    if (batches.length === 0) return;
    const bytes = await RecordBatchFileWriter.writeAll(batches).toUint8Array();
    digest.update(createHash('sha256').update(bytes).digest());
    await storage.replace(manifestPath(runId, rows - 1), bytes);
    batches = [];
  }

  return {
    async add(sample): Promise<void> {
      samples.push(sample);
      rows++;
      if (samples.length === MANIFEST_BATCH_ROWS) endBatch();
      if (rows % MANIFEST_FILE_ROWS === 0) await endFile();
    },
    async close(): Promise<ManifestSummary> {
      await endFile();
      return { rows, digest: digest.digest('hex') };
    },
  };
}
