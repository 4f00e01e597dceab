// The HDF5 library (h5wasm) set up to see one file only, in memory that cannot grow past a bound. For hdf5-thread.ts alone:
// it changes globals of its thread, and a damaged file can hang or abort it.
import { closeSync, openSync, readSync } from 'node:fs';

/** Where the bytes of an HDF5 file are: a file or a stretch of one, or memory. */
export type Hdf5Source =
  | { readonly path: string; readonly offset: number; readonly bytes: number }
  | { readonly buffer: Uint8Array };

/** The functions of h5wasm's module that reading takes; paths are absolute, ids are HDF5's. */
export interface Hdf5Library {
  readonly HEAPU8: Uint8Array;
  readonly _malloc: (bytes: number) => number;
  readonly _free: (pointer: number) => void;
  open(path: string, mode: number, trackOrder: boolean, libverLow: number, libverHigh: number): bigint;
  get_names(file: bigint, path: string, recursive: boolean): string[];
  /** 0 group, 1 dataset, 2 named datatype. */
  get_type(file: bigint, path: string): number;
  get_symbolic_link(file: bigint, path: string): string | null;
  get_external_link(file: bigint, path: string): { filename?: string };
  get_attribute_names(file: bigint, path: string): string[];
  get_attribute_metadata(file: bigint, path: string, name: string): Hdf5Metadata;
  get_attribute_data(file: bigint, path: string, name: string, pointer: bigint): number;
  get_dataset_metadata(file: bigint, path: string): Hdf5Metadata;
  get_dataset_filters(file: bigint, path: string): readonly { readonly id: number }[];
  get_dataset_data(
    file: bigint,
    path: string,
    count: bigint[] | null,
    offset: bigint[] | null,
    strides: bigint[] | null,
    pointer: bigint,
  ): number;
}

export interface Hdf5Metadata {
  /** Null for an empty attribute or dataset. */
  readonly shape: readonly number[] | null;
  readonly total_size: number;
  /** Class of the type: 0 integer, 1 float, 3 string, 5 opaque, 8 enumeration. */
  readonly type: number;
  /** Bytes of one element. */
  readonly size: number;
  readonly signed: boolean;
  readonly vlen: boolean;
  readonly virtual_sources?: unknown;
}

interface FileSystem {
  ErrnoError: new (errno: number) => Error;
  streams: (Stream | null | undefined)[];
  createStream(stream: Partial<Stream>): Stream;
  [method: string]: unknown;
}
interface Stream {
  fd: number;
  nfd: number;
  position: number;
  path: string;
  flags: number;
  seekable: boolean;
  node: unknown;
}

/** The name under which the library sees the one file. */
const FILE_NAME = '/model.h5';

/** Numbers of errors in the library's C runtime. */
const ERRNO = { noSuchFile: 44, invalid: 28, readOnly: 69 } as const;

export interface OpenHdf5 {
  readonly library: Hdf5Library;
  readonly file: bigint;
  /** Runs a call of the library; throws where it reported an error, which it does not always return. */
  readonly check: <T>(call: () => T) => T;
  readonly close: () => void;
}

/**
 * Opens the file. Once per thread: the thread is to end with it.
 * @param memoryBytes bound of the library's own memory
 */
export async function openHdf5(source: Hdf5Source, memoryBytes: number): Promise<OpenHdf5> {
  boundMemory(memoryBytes);
  const { ready } = await import('h5wasm/node');
  const library = (await ready) as unknown as Hdf5Library & { readonly FS: FileSystem };
  const reports: string[] = [];
  const close = showOneFile(library.FS, source, reports);
  const check = <T>(call: () => T): T => {
    reports.length = 0;
    const result = call();
    if (reports.length > 0) throw new Error(firstReason(reports.join('')));
    return result;
  };
  // Read-only, no bounds of the format's version.
  const file = check(() => library.open(FILE_NAME, 0, false, -1, -1));
  if (file < 0n) throw new Error('it is no HDF5 file');
  return { library, file, check, close };
}

function boundMemory(bytes: number): void {
  const { grow } = WebAssembly.Memory.prototype;
  WebAssembly.Memory.prototype.grow = function bounded(this: WebAssembly.Memory, pages: number): number {
    const wanted = this.buffer.byteLength + pages * 65_536;
    if (wanted > bytes) throw new RangeError(`Expected to stay within ${bytes} bytes but ${wanted} were asked for`);
    return grow.call(this, pages);
  };
}

/** Replaces the library's file system by one that holds a single file; what it prints goes to `reports`. */
function showOneFile(fs: FileSystem, source: Hdf5Source, reports: string[]): () => void {
  const descriptor = 'path' in source ? openSync(source.path, 'r') : undefined;
  const size = 'path' in source ? source.bytes : source.buffer.byteLength;
  const readAt = (target: Uint8Array, position: number): number => {
    const wanted = Math.max(0, Math.min(target.byteLength, size - position));
    if ('buffer' in source) {
      target.set(source.buffer.subarray(position, position + wanted));
      return wanted;
    }
    return wanted === 0 ? 0 : readSync(descriptor as number, target, 0, wanted, source.offset + position);
  };
  const now = new Date(0);
  const status = {
    dev: 1,
    ino: 1,
    mode: 0o100444,
    nlink: 1,
    uid: 0,
    gid: 0,
    rdev: 0,
    size,
    blocks: Math.ceil(size / 512),
  };
  const stat = { ...status, atime: now, mtime: now, ctime: now };
  const fail = (errno: number) => (): never => {
    throw new fs.ErrnoError(errno);
  };
  const statPath = (path: string): typeof stat => (path === FILE_NAME ? stat : fail(ERRNO.noSuchFile)());
  const decoder = new TextDecoder();
  // Everything else that the C runtime could do to the machine's files.
  for (const name of ['mknod', 'mkdir', 'symlink', 'rename', 'rmdir', 'unlink', 'readlink', 'readdir', 'truncate']) {
    fs[name] = fail(ERRNO.readOnly);
  }
  Object.assign(fs, {
    open(path: string): Stream {
      statPath(path);
      return fs.createStream({
        nfd: -1,
        position: 0,
        path,
        flags: 0,
        node: { id: 1, mode: stat.mode },
        seekable: true,
      });
    },
    close(stream: Stream): void {
      fs.streams[stream.fd] = null;
    },
    stat: statPath,
    lstat: statPath,
    fstat: () => stat,
    llseek(stream: Stream, offset: number, whence: number): number {
      const base = whence === 1 ? stream.position : whence === 2 ? size : 0;
      if (base + offset < 0) fail(ERRNO.invalid)();
      stream.position = base + offset;
      return stream.position;
    },
    read(stream: Stream, heap: Int8Array, offset: number, length: number, position?: number): number {
      const target = new Uint8Array(heap.buffer, heap.byteOffset + offset, length);
      const bytes = readAt(target, position ?? stream.position);
      if (position === undefined) stream.position += bytes;
      return bytes;
    },
    write(_stream: Stream, heap: Int8Array, offset: number, length: number): number {
      reports.push(decoder.decode(new Uint8Array(heap.buffer, heap.byteOffset + offset, length)));
      return length;
    },
  });
  return () => {
    if (descriptor !== undefined) closeSync(descriptor);
  };
}

/** HDF5 prints a stack; its last entry is the deepest and says what was wrong: `#005: H5FDint.c line 1 in f(): reason`. */
function firstReason(report: string): string {
  const reasons = [...report.matchAll(/#\d+: \S+ line \d+ in \w+\(\): (.+)/g)].map(match => match[1] ?? '');
  return (reasons.at(-1) ?? report).trim().slice(0, 200);
}
