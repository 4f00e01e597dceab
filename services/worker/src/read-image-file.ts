// Reads one image file within bounds; whatever is wrong with the file becomes a row's failure. For decode-thread.ts.
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { hasErrorCode, type SampleErrorCode, type SampleFailure } from '../../../shared/src/errors.ts';

export type FileResult =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly failure: SampleFailure };

/** Without O_NONBLOCK, opening a fifo that nobody writes to would hold the thread for ever. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/** What is wrong with this machine, its network or its disk at the moment, and says nothing of the file. */
const PASSING_ERRORS = [
  'EIO',
  'ESTALE',
  'ETIMEDOUT',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'EAGAIN',
  // A mount whose server or FUSE process has gone.
  'EHOSTDOWN',
  'ENOTCONN',
] as const;

/** A disk that takes longer for a file, on average, is waited for in another thread. */
const QUICK_MS = 2;
/** The share of one file in the average, and how often the limit it may count for at most: one pause shows nothing, five do. */
const WEIGHT = 1 / 16;
const MOST = 4;
/** Files that are then read so, before the disk is tried again. */
const READ_APART = 100;

/**
 * The bytes of a regular file of at most `maxBytes`; rejects where another attempt may well find the file in order. The size
 * found first is the bound: a file that grows meanwhile is read to that point, one that shrinks to its end.
 */
export type ReadImageFile = (path: string, maxBytes: number) => Promise<FileResult>;

/**
 * Reads where it stands, as long as the disk is quick: to have a file read by other threads takes 0.4 ms of processor time,
 * ten times as long as the file. From a slow disk several files must come at a time.
 * @param quickMs - What one file may take on average. @default 2
 */
export function openFileReader(quickMs: number = QUICK_MS): ReadImageFile {
  let averageMs = 0;
  let apart = 0;
  return async (path, maxBytes) => {
    if (apart-- > 0) return readImageFile(path, maxBytes);
    const started = performance.now();
    try {
      return readHere(path, maxBytes);
    } finally {
      const tookMs = Math.min(performance.now() - started, MOST * quickMs);
      averageMs += (tookMs - averageMs) * WEIGHT;
      apart = averageMs > quickMs ? READ_APART : 0;
    }
  };
}

function readHere(path: string, maxBytes: number): FileResult {
  let file: number | undefined;
  try {
    file = openSync(path, FLAGS);
    const stats = fstatSync(file);
    const unfit = unfitFile(stats, maxBytes);
    if (unfit !== undefined) return unfit;
    const bytes = Buffer.allocUnsafeSlow(stats.size);
    let length = 0;
    for (let more = -1; more !== 0 && length < bytes.length; length += more) {
      more = readSync(file, bytes, length, bytes.length - length, length);
    }
    return { ok: true, bytes: bytes.subarray(0, length) };
  } catch (error) {
    return failureOf(path, error);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Reads in threads of Node's own; the caller's is free meanwhile. */
export const readImageFile: ReadImageFile = async (path, maxBytes) => {
  let file: FileHandle | undefined;
  try {
    file = await open(path, FLAGS);
    const stats = await file.stat();
    const unfit = unfitFile(stats, maxBytes);
    if (unfit !== undefined) return unfit;
    const bytes = Buffer.allocUnsafeSlow(stats.size);
    let length = 0;
    for (let more = -1; more !== 0 && length < bytes.length; length += more) {
      more = (await file.read(bytes, length, bytes.length - length, length)).bytesRead;
    }
    return { ok: true, bytes: bytes.subarray(0, length) };
  } catch (error) {
    return failureOf(path, error);
  } finally {
    await file?.close();
  }
};

function unfitFile(stats: Stats, maxBytes: number): FileResult | undefined {
  if (!stats.isFile())
    return failure('unreadable', stats.isDirectory() ? 'it is a directory' : 'it is no regular file');
  if (stats.size > maxBytes) return failure('file-too-large', `${stats.size} bytes are more than ${maxBytes}`);
  return undefined;
}

function failureOf(path: string, error: unknown): FileResult {
  if (hasErrorCode(error, 'ENOENT') || hasErrorCode(error, 'ENOTDIR'))
    return failure('not-found', 'there is no such file');
  if (PASSING_ERRORS.some(code => hasErrorCode(error, code)))
    throw new Error(`Could not read '${path}' this time`, { cause: error });
  return failure('unreadable', error instanceof Error && 'code' in error ? `${error.code}` : String(error));
}

function failure(code: SampleErrorCode, message: string): FileResult {
  return { ok: false, failure: { code, message } };
}
