// Reads one image file within bounds; whatever is wrong with the file becomes a row's failure. For decode-thread.ts.
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
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

/** The bytes of a regular file of at most `maxBytes`; throws where another attempt may well find the file in order. */
export async function readImageFile(path: string, maxBytes: number): Promise<FileResult> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, FLAGS);
    const stats = await file.stat();
    if (!stats.isFile())
      return failure('unreadable', stats.isDirectory() ? 'it is a directory' : 'it is no regular file');
    if (stats.size > maxBytes) return failure('file-too-large', `${stats.size} bytes are more than ${maxBytes}`);
    return { ok: true, bytes: await readUpTo(file, stats.size) };
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT') || hasErrorCode(error, 'ENOTDIR'))
      return failure('not-found', 'there is no such file');
    if (PASSING_ERRORS.some(code => hasErrorCode(error, code)))
      throw new Error(`Could not read '${path}' this time`, { cause: error });
    return failure('unreadable', error instanceof Error && 'code' in error ? `${error.code}` : String(error));
  } finally {
    await file?.close();
  }
}

/** The size found first is the bound: a file that grows meanwhile is read to that point, one that shrinks to its end. */
async function readUpTo(file: FileHandle, size: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(size);
  let length = 0;
  while (length < size) {
    const { bytesRead } = await file.read(bytes, length, size - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

function failure(code: SampleErrorCode, message: string): FileResult {
  return { ok: false, failure: { code, message } };
}
