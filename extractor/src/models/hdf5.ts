// Reads HDF5 files without trusting them: in a thread with a time limit and bounded memory, that dies with the file. For Keras' weights.
import { open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { hasErrorCode, Refusal } from '../../../shared/src/errors.ts';
import type { Hdf5Group } from './hdf5-content.ts';
import type { Hdf5Source } from './hdf5-library.ts';
import type { Hdf5Task } from './hdf5-thread.ts';
import { runHdf5Thread } from './hdf5-watch.ts';

export interface Hdf5ReadOptions {
  /** Read the numbers too; without them only shapes, which is quick whatever the size. */
  readonly data: boolean;
  /** What the file is called in messages. @default the source's path */
  readonly name?: string;
  /** Top-level groups that are left out. @default [] */
  readonly without?: readonly string[];
  /** Time of the processor for the reading itself. @default 3 s and a second for every 10 MB */
  readonly timeLimitMs?: number;
  /** Ends the reading early: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A file, a stretch of a file, or bytes, which move to the thread: the caller's array is empty afterwards. */
export type Hdf5Input =
  | { readonly path: string; readonly offset?: number; readonly bytes?: number }
  | { readonly buffer: Uint8Array<ArrayBuffer> };

/** First bytes of an HDF5 file without a user block. */
const SIGNATURE = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');

/** Above the library's own 16 MiB: one piece of a dataset, chunks of compressed ones, HDF5's caches. */
const MEMORY_FLOOR_BYTES = 192 * 2 ** 20;

/** What the library's address space ends at. */
const MEMORY_CEILING_BYTES = 2 ** 31;

/**
 * All groups, attributes and datasets of an HDF5 file.
 * @throws Refusal `model-unreadable` for anything that is not such a file, is damaged, out of bounds or takes too long
 *
 * @example
 * const root = await readHdf5({ path: 'model.h5' }, { data: false, without: ['optimizer_weights'] });
 */
export async function readHdf5(input: Hdf5Input, options: Hdf5ReadOptions): Promise<Hdf5Group> {
  options.signal?.throwIfAborted();
  const name = options.name ?? ('path' in input ? input.path : 'the given bytes');
  const source = await sourceOf(input, name);
  const fileBytes = 'path' in source ? source.bytes : source.buffer.byteLength;
  const task: Hdf5Task = {
    source,
    fileBytes,
    data: options.data,
    without: options.without ?? [],
    memoryBytes: Math.min(MEMORY_CEILING_BYTES, MEMORY_FLOOR_BYTES + 2 * fileBytes),
  };
  const limitMs = options.timeLimitMs ?? 3000 + fileBytes / 10_000;
  const outcome = await runHdf5Thread(task, limitMs, options.signal);
  if ('content' in outcome) return outcome.content;
  throw new Refusal('model-unreadable', `Expected a whole HDF5 file in ${name} but received ${outcome.failure}`, {
    hint: 'The file may be damaged: copy or save the model again.',
  });
}

async function sourceOf(input: Hdf5Input, name: string): Promise<Hdf5Source> {
  if ('buffer' in input) {
    refuseOtherFormats(input.buffer.subarray(0, SIGNATURE.byteLength), name, input.buffer.byteLength);
    return { buffer: input.buffer };
  }
  const path = resolve(input.path);
  const offset = input.offset ?? 0;
  try {
    const size = input.bytes ?? (await stat(path)).size - offset;
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(SIGNATURE.byteLength),
        0,
        SIGNATURE.byteLength,
        offset,
      );
      refuseOtherFormats(buffer.subarray(0, bytesRead), name, size);
    } finally {
      await file.close();
    }
    return { path, offset, bytes: size };
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    const found = hasErrorCode(cause, 'ENOENT') ? 'no such file' : 'one that cannot be read';
    throw new Refusal('model-unreadable', `Expected an HDF5 file at ${name} but received ${found}`, { cause });
  }
}

/** Cheaper, and said better, than by the library. */
function refuseOtherFormats(start: Uint8Array, name: string, bytes: number): void {
  if (Buffer.compare(start, SIGNATURE) === 0) return;
  throw new Refusal(
    'model-unreadable',
    `Expected an HDF5 file in ${name} but received ${bytes} bytes of another format`,
    {
      hint: 'Keras writes HDF5 as .h5 or .hdf5, and inside .keras archives; the file may be damaged or misnamed.',
    },
  );
}
