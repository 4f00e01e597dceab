// Publishing: parts under names that carry their content hash, then the receipt, which fails if one stands.
import { createHash, type Hash } from 'node:crypto';
import type { RecordBatch, Schema } from 'apache-arrow';
import type { PartFile, ShardReceipt } from '../../../shared/src/receipt.ts';
import { formatsOf } from '../../../shared/src/request.ts';
import { encodeJson, partPath, type RunRecord, readReceipt, receiptPath, shardName } from '../../../shared/src/run.ts';
import type { StagedFile, Storage } from '../../../shared/src/storage.ts';
import { SINK_FORMATS, type Sink, type SinkFormat } from './sink.ts';

/** The part of one shard in every wanted format, being written. */
export interface PartWriter {
  write(batch: RecordBatch): Promise<void>;
  /** Ends the files, flushes them and gives them their final names. */
  publish(): Promise<readonly PartFile[]>;
  /** Removes what was written; safe to call after `publish`. */
  abort(): Promise<void>;
}

interface OpenFile {
  readonly format: SinkFormat;
  readonly staged: StagedFile;
  readonly sink: Sink;
  readonly hash: Hash;
  bytes: number;
}

export async function openPart(storage: Storage, run: RunRecord, shard: number, schema: Schema): Promise<PartWriter> {
  const files: OpenFile[] = [];
  let rows = 0;
  const directory = `parts/${shardName(run, shard).split('/')[0]}`;
  try {
    for (const name of formatsOf(run.request.format))
      files.push(await openFile(storage, SINK_FORMATS[name], directory, schema));
  } catch (error) {
    await abortAll(files);
    throw error;
  }

  return {
    async write(batch): Promise<void> {
      rows += batch.numRows;
      for (const file of files) await file.sink.write(batch);
    },
    async publish(): Promise<readonly PartFile[]> {
      const parts: PartFile[] = [];
      for (const file of files) {
        await file.sink.close();
        const sha256 = file.hash.digest('hex');
        const path = partPath(run, shard, sha256, file.format.extension);
        await file.staged.publish(path);
        parts.push({ path, format: file.format.name, sha256, bytes: file.bytes, rows });
      }
      return parts;
    },
    abort: () => abortAll(files),
  };
}

/**
 * Publishes the receipt unless another worker was first; then this worker's parts go, except those
 * that the standing receipt names (equal content has an equal name). Returns the receipt that stands.
 */
export async function publishReceipt(storage: Storage, run: RunRecord, receipt: ShardReceipt): Promise<ShardReceipt> {
  if (await storage.createOnce(receiptPath(run, receipt.shard), encodeJson(receipt))) return receipt;
  const standing = await readReceipt(storage, run, receipt.shard);
  if (standing === undefined)
    throw new Error(`The receipt of shard ${receipt.shard} vanished while it was being published`);
  const kept = new Set(standing.files.map(file => file.path));
  for (const file of receipt.files) if (!kept.has(file.path)) await storage.remove(file.path);
  return standing;
}

async function abortAll(files: readonly OpenFile[]): Promise<void> {
  for (const file of files) {
    await file.sink.abort();
    await file.staged.abort();
  }
}

async function openFile(storage: Storage, format: SinkFormat, directory: string, schema: Schema): Promise<OpenFile> {
  const staged = await storage.stage(directory);
  const hash = createHash('sha256');
  const file: OpenFile = {
    format,
    staged,
    hash,
    bytes: 0,
    sink: format.open(schema, async bytes => {
      hash.update(bytes);
      file.bytes += bytes.length;
      await staged.write(bytes);
    }),
  };
  return file;
}
