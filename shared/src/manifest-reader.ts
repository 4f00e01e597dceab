// Reads any range of a manifest; keeps the last file in memory, since neighbouring shards share it.
import { type RecordBatch, type RecordBatchFileReader, RecordBatchReader } from 'apache-arrow';
import { type CarriedValue, valueAt } from './carried-types.ts';
import { Refusal } from './errors.ts';
import { MANIFEST_BATCH_ROWS, MANIFEST_FILE_ROWS, manifestPath, type Sample } from './manifest.ts';
import type { Storage } from './storage.ts';

export interface ManifestReader {
  /** Samples of rows [first, first + count), in order. */
  read(first: number, count: number): AsyncGenerator<Sample>;
}

export function openManifestReader(storage: Storage, runId: string): ManifestReader {
  let cached: { readonly path: string; readonly reader: RecordBatchFileReader } | undefined;

  async function openFile(path: string): Promise<RecordBatchFileReader> {
    if (cached?.path === path) return cached.reader;
    const bytes = await storage.read(path);
    if (bytes === undefined) {
      throw new Refusal('run-unreadable', `Expected the manifest file '${storage.root}/${path}' but there is none`, {
        hint: 'The run directory is damaged: restore the manifest folder, or start the run again in an empty one.',
      });
    }
    const reader = damageRefused(path, () => {
      const opened = RecordBatchReader.from(bytes);
      return opened.isFile() ? opened.open() : undefined;
    });
    if (reader === undefined) throw damaged(path);
    cached = { path, reader };
    return reader;
  }

  function damaged(path: string, cause?: unknown): Refusal {
    return new Refusal('run-unreadable', `Expected an Arrow file in '${storage.root}/${path}' but it is damaged`, {
      hint: 'Restore the manifest folder, or start the run again in an empty directory.',
      cause,
    });
  }

  /** Arrow meets damaged bytes with whatever error comes first. */
  function damageRefused<T>(path: string, action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw damaged(path, error);
    }
  }

  return {
    async *read(first, count): AsyncGenerator<Sample> {
      for (let row = first; row < first + count; ) {
        const reader = await openFile(manifestPath(runId, row));
        const inFile = row % MANIFEST_FILE_ROWS;
        const batch: RecordBatch | null = damageRefused(manifestPath(runId, row), () =>
          reader.readRecordBatch(Math.floor(inFile / MANIFEST_BATCH_ROWS)),
        );
        const start = inFile % MANIFEST_BATCH_ROWS;
        const end = Math.min(batch?.numRows ?? 0, start + first + count - row);
        if (batch === null || end <= start) {
          throw new Refusal(
            'run-unreadable',
            `Expected row ${row} in the manifest of '${storage.root}' but it ends before`,
          );
        }
        for (let index = start; index < end; index++, row++) yield sampleOf(batch, index);
      }
    },
  };
}

function sampleOf(batch: RecordBatch, index: number): Sample {
  const value = (column: number): CarriedValue => {
    const vector = batch.getChildAt(column);
    return vector === null ? null : (valueAt(vector, index) as CarriedValue);
  };
  const carried = Array.from({ length: batch.numCols - 2 }, (_, column) => value(column + 2));
  return { sampleId: String(value(0)), uri: String(value(1)), carried };
}
