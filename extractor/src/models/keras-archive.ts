// The members of a .keras archive, checked before they are trusted: config, metadata and the weights' HDF5 file. For the reader of Keras 3 models.
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { describeError, hasErrorCode, Refusal } from '../../../shared/src/errors.ts';
import { type Hdf5ReadOptions, readHdf5 } from './hdf5.ts';
import type { Hdf5Group } from './hdf5-content.ts';
import { EXPANSION } from './hdf5-walk.ts';

export interface KerasArchive {
  /** Absolute path of the archive. */
  readonly path: string;
  /** Text of config.json, its checksum checked. */
  readonly config: string;
  /** Text of metadata.json, which names the version of Keras; very early files have none. */
  readonly metadata: string | undefined;
  /**
   * Reads model.weights.h5, by default without the optimizer's state. Its checksum is checked where the numbers are read; shapes alone are read without it.
   * @throws Refusal `model-unreadable`
   */
  readWeights(options: Omit<Hdf5ReadOptions, 'name'>): Promise<Hdf5Group>;
}

const CONFIG = 'config.json';
const METADATA = 'metadata.json';
const WEIGHTS = 'model.weights.h5';

/** More than any model's config; assets make the number of members, one file each. */
const MAX_TEXT_BYTES = 64 * 2 ** 20;
const MAX_MEMBERS = 10_000;

/** Methods of compression in the zip format's numbering. */
const STORED = 0;

/**
 * Opens a .keras archive of Keras 2.12 or later; members it does not know, such as assets, are left alone.
 * @throws Refusal `model-unreadable` for a damaged, encrypted, ambiguous or oversized archive
 */
export async function openKerasArchive(path: string): Promise<KerasArchive> {
  const absolute = resolve(path);
  return withZip(absolute, async (zip, members) => {
    const config = members.get(CONFIG);
    const weights = members.get(WEIGHTS);
    if (config === undefined) throw new Error(`one without ${CONFIG}`);
    if (weights === undefined) {
      const npz = members.has('model.weights.npz') ? ' but with model.weights.npz: save it with h5 weights' : '';
      throw new Error(`one without ${WEIGHTS}${npz}`);
    }
    const metadata = members.get(METADATA);
    return {
      path: absolute,
      config: await readText(zip, config),
      metadata: metadata === undefined ? undefined : await readText(zip, metadata),
      readWeights: options => readWeights(absolute, options),
    };
  });
}

async function readWeights(path: string, options: Omit<Hdf5ReadOptions, 'name'>): Promise<Hdf5Group> {
  const name = `${path} (${WEIGHTS})`;
  const input = await withZip(path, async (zip, members) => {
    const entry = members.get(WEIGHTS);
    if (entry === undefined) throw new Error(`one without ${WEIGHTS}`);
    const { factor, floorBytes } = EXPANSION;
    requireSize(entry, floorBytes + factor * entry.compressedSize);
    // Keras stores it as it is: the library reads it inside the archive.
    if (entry.compressionMethod !== STORED) return { buffer: await readMember(zip, entry) };
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
    if (fileDataStart + entry.uncompressedSize > zip.fileSize) throw new Error(`one whose ${WEIGHTS} is cut off`);
    if (options.data) await checkStored(zip, entry);
    return { path, offset: fileDataStart, bytes: entry.uncompressedSize };
  });
  return readHdf5(input, { without: ['optimizer'], ...options, name });
}

/** Runs `read` on the open archive; an error's message, which completes "but received …", becomes the refusal's. */
async function withZip<T>(
  path: string,
  read: (zip: ZipFile, members: ReadonlyMap<string, Entry>) => Promise<T>,
): Promise<T> {
  let zip: ZipFile | undefined;
  try {
    zip = await openPromise(path, { autoClose: false });
    return await read(zip, await membersOf(zip));
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    throw new Refusal(
      'model-unreadable',
      `Expected a .keras archive at ${path} but received ${await found(path, cause)}`,
      {
        hint: 'The file may be damaged or truncated: copy or save the model again.',
        cause: cause instanceof Error && 'code' in cause ? cause : undefined,
      },
    );
  } finally {
    zip?.close();
  }
}

async function found(path: string, cause: unknown): Promise<string> {
  if (hasErrorCode(cause, 'ENOENT')) return 'no such file';
  const isFolder = await stat(path).then(
    status => status.isDirectory(),
    () => false,
  );
  return isFolder ? 'a folder' : describeError(cause);
}

/** By name. yauzl refuses names that lead out of the archive. */
async function membersOf(zip: ZipFile): Promise<ReadonlyMap<string, Entry>> {
  if (zip.entryCount > MAX_MEMBERS) throw new Error(`one of ${zip.entryCount} members, more than ${MAX_MEMBERS}`);
  const members = new Map<string, Entry>();
  for await (const entry of zip.eachEntry()) {
    if (members.has(entry.fileName)) throw new Error(`one with two members named ${entry.fileName}`);
    members.set(entry.fileName, entry);
  }
  for (const name of [CONFIG, METADATA, WEIGHTS]) {
    const entry = members.get(name);
    if (entry?.isEncrypted()) throw new Error(`one whose ${name} is encrypted`);
    if (entry?.canDecodeFileData() === false) throw new Error(`one whose ${name} is packed by an unknown method`);
  }
  return members;
}

async function readText(zip: ZipFile, entry: Entry): Promise<string> {
  requireSize(entry, MAX_TEXT_BYTES);
  return new TextDecoder().decode(await readMember(zip, entry));
}

function requireSize(entry: Entry, maxBytes: number): void {
  if (entry.uncompressedSize <= maxBytes) return;
  throw new Error(`one whose ${entry.fileName} unpacks to ${entry.uncompressedSize} bytes, more than ${maxBytes}`);
}

/** The unpacked bytes, in one piece of exactly the declared size: yauzl ends the stream with an error at any other. */
async function readMember(zip: ZipFile, entry: Entry): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(entry.uncompressedSize);
  let length = 0;
  let checksum = 0;
  for await (const chunk of (await zip.openReadStreamPromise(entry)) as Readable & AsyncIterable<Buffer>) {
    bytes.set(chunk, length);
    length += chunk.byteLength;
    checksum = crc32(chunk, checksum);
  }
  requireChecksum(entry, checksum);
  return bytes;
}

async function checkStored(zip: ZipFile, entry: Entry): Promise<void> {
  let checksum = 0;
  for await (const chunk of (await zip.openReadStreamPromise(entry)) as Readable & AsyncIterable<Buffer>) {
    checksum = crc32(chunk, checksum);
  }
  requireChecksum(entry, checksum);
}

function requireChecksum(entry: Entry, checksum: number): void {
  if (checksum !== entry.crc32) throw new Error(`one whose ${entry.fileName} does not match its checksum`);
}
