// Publishing: part and receipt are written under temporary names and flushed; then the part gets its name, which carries its
// content hash, and then the receipt, which fails if one stands. A part thus never finds room where its receipt does not.
import { createHash, type Hash } from 'node:crypto';
import { posix } from 'node:path';
import type { RecordBatch, Schema } from 'apache-arrow';
import { Refusal } from '../../../shared/src/errors.ts';
import type { PartFile, ShardReceipt } from '../../../shared/src/receipt.ts';
import { formatsOf } from '../../../shared/src/request.ts';
import {
  encodeJson,
  partPath,
  partsFolder,
  type RunRecord,
  readReceipt,
  receiptPath,
  type ShardSpan,
  shardName,
} from '../../../shared/src/run.ts';
import type { StagedFile, Storage } from '../../../shared/src/storage.ts';
import { SINK_FORMATS, type Sink, type SinkFormat } from './sink.ts';

/** The part of one shard in every wanted format, being written. */
export interface PartWriter {
  write(batch: RecordBatch): Promise<void>;
  /** Ends the files and flushes them; they keep their temporary names. Returns what a receipt says of them. */
  finish(): Promise<readonly PartFile[]>;
  /** Gives the files their final names, finishing them first where that is left to do; safe to call twice. */
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

/** @param shards whose rows it will hold: one, or several neighbours */
export async function openPart(
  storage: Storage,
  run: RunRecord,
  shards: number | ShardSpan,
  schema: Schema,
): Promise<PartWriter> {
  const span = typeof shards === 'number' ? { first: shards, last: shards } : shards;
  const files: OpenFile[] = [];
  let rows = 0;
  let finished: readonly PartFile[] | undefined;
  let published = false;
  const folder = posix.dirname(shardName(run, span.first));
  try {
    for (const name of formatsOf(run.request.format)) {
      const format = SINK_FORMATS[name];
      files.push(await openFile(storage, format, `${partsFolder(run, format.extension)}/${folder}`, schema));
    }
  } catch (error) {
    await abortAll(files);
    throw error;
  }

  async function finish(): Promise<readonly PartFile[]> {
    if (finished !== undefined) return finished;
    const parts: PartFile[] = [];
    for (const file of files) {
      await file.sink.close();
      await file.staged.flush();
      const sha256 = file.hash.digest('hex');
      const path = partPath(run, span, sha256, file.format.extension);
      parts.push({ path, format: file.format.name, sha256, bytes: file.bytes, rows });
    }
    finished = parts;
    return parts;
  }

  return {
    async write(batch): Promise<void> {
      rows += batch.numRows;
      for (const file of files) await file.sink.write(batch);
    },
    finish,
    async publish(): Promise<readonly PartFile[]> {
      const parts = await finish();
      if (published) return parts;
      published = true;
      for (const [index, { path }] of parts.entries()) await files[index]?.staged.publish(path);
      return parts;
    },
    abort: () => abortAll(files),
  };
}

/**
 * Publishes the receipt unless another worker was first; then this worker's parts go, except those
 * that the standing receipt names (equal content has an equal name). Returns the receipt that stands.
 * @param part that the receipt speaks of, finished: it gets its names once the receipt has found its room
 */
export async function publishReceipt(
  storage: Storage,
  run: RunRecord,
  receipt: ShardReceipt,
  part?: Pick<PartWriter, 'publish'>,
): Promise<ShardReceipt> {
  const path = receiptPath(run, receipt.shard);
  const staged = await storage.stage(posix.dirname(path));
  try {
    await staged.write(encodeJson(receipt));
    await staged.flush();
    await part?.publish();
    if (await staged.publishOnce(path)) return receipt;
  } finally {
    await staged.abort();
  }
  const standing = await readReceipt(storage, run, receipt.shard);
  if (standing === undefined)
    throw new Error(`The receipt of shard ${receipt.shard} vanished while it was being published`);
  const kept = new Set(standing.files.map(file => file.path));
  for (const file of receipt.files) if (!kept.has(file.path)) await storage.remove(file.path);
  return standing;
}

/**
 * Puts receipts in the place of those that stand, once all have found their room and the part that they name has its names.
 * Whoever collects garbage may have taken it, before a receipt named it: then the old receipts are put back, and nothing is lost.
 */
export async function replaceReceipts(
  storage: Storage,
  run: RunRecord,
  receipts: readonly ShardReceipt[],
  part: Pick<PartWriter, 'publish'>,
): Promise<void> {
  const staged: { readonly path: string; readonly file: StagedFile }[] = [];
  const replaced = new Map<string, Uint8Array>();
  let files: readonly PartFile[] = [];

  /** Does nothing where the files stand: what a receipt named before may be gone. */
  async function putBack(): Promise<void> {
    for (const { path } of files) {
      if ((await storage.size(path)) !== undefined) continue;
      for (const [receipt, bytes] of replaced) await storage.replace(receipt, bytes);
      throw removedMeanwhile(storage, path);
    }
  }

  try {
    for (const receipt of receipts) {
      const path = receiptPath(run, receipt.shard);
      const file = await storage.stage(posix.dirname(path));
      staged.push({ path, file });
      await file.write(encodeJson(receipt));
      await file.flush();
    }
    files = await part.publish();
    for (const { path, file } of staged) {
      const standing = await storage.read(path);
      await file.publish(path);
      if (standing !== undefined) replaced.set(path, standing);
    }
  } catch (error) {
    await putBack();
    throw error;
  } finally {
    for (const { file } of staged) await file.abort();
  }
  await putBack();
}

/** Removes the files that receipts named before they were replaced; a shared one stays, since other shards may have rows in it. */
export async function removeReplaced(
  storage: Storage,
  before: readonly PartFile[],
  after: readonly PartFile[],
): Promise<void> {
  const kept = new Set(after.map(({ path }) => path));
  for (const { path, range } of before) if (range === undefined && !kept.has(path)) await storage.remove(path);
}

function removedMeanwhile(storage: Storage, path: string): Refusal {
  return new Refusal(
    'run-incomplete',
    `'${storage.root}/${path}' was removed as garbage before its receipts named it`,
    {
      hint: 'Nothing is lost: run the same command again once no other one is at work on this run.',
    },
  );
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
