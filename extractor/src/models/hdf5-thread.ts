// The thread that reads one HDF5 file: started by hdf5.ts, which ends it when it is done, late or dead.
import { parentPort, workerData } from 'node:worker_threads';
import { describeError } from '../../../shared/src/errors.ts';
import type { Hdf5Group } from './hdf5-content.ts';
import { type Hdf5Source, openHdf5 } from './hdf5-library.ts';
import { type WalkOptions, walkHdf5 } from './hdf5-walk.ts';

export interface Hdf5Task extends WalkOptions {
  readonly source: Hdf5Source;
  /** Bound of the library's memory. */
  readonly memoryBytes: number;
}

/** What the thread says: that it starts reading, then once what it has read, or why it could not. */
export type Hdf5Message = 'reading' | { readonly content: Hdf5Group } | { readonly failure: string };

const task = workerData as Hdf5Task;
// Loading the library takes a fraction of a second that the reading's time limit is not about.
await import('h5wasm/node').then(({ ready }) => ready);
post('reading', []);
try {
  const hdf5 = await openHdf5(task.source, task.memoryBytes);
  const content = walkHdf5(hdf5, task);
  hdf5.close();
  post({ content }, buffersOf(content));
} catch (error) {
  post({ failure: describeError(error) }, []);
}

function post(message: Hdf5Message, transfer: readonly ArrayBuffer[]): void {
  parentPort?.postMessage(message, transfer);
}

/** Moved to the other thread instead of copied. */
function buffersOf(group: Hdf5Group): ArrayBuffer[] {
  const own = [...group.datasets.values()].flatMap(({ data }) =>
    data === undefined ? [] : [data.buffer as ArrayBuffer],
  );
  return [...own, ...[...group.groups.values()].flatMap(buffersOf)];
}
