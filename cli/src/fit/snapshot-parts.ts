// Where `layertap fit` puts features: one part per snapshot, through the sinks and the publishing of every other run.
import type { FeatureSnapshot } from '../../../extractor/src/methods/fit-callback.ts';
import { openPart } from '../../../services/worker/src/publish.ts';
import { encodeRows, type Row } from '../../../services/worker/src/serialize.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import type { CarriedColumn } from '../../../shared/src/manifest.ts';
import type { PartFile } from '../../../shared/src/receipt.ts';
import { rowSchema } from '../../../shared/src/row-schema.ts';
import { encodeJson, type RunRecord } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';

export const FIT_FILE = 'fit.json';

/** The columns that tell a snapshot from the next; they follow the source's own. */
export const MOMENT_COLUMNS: readonly CarriedColumn[] = [
  { name: 'epoch', type: 'int64' },
  { name: 'step', type: 'int64' },
];

export interface WrittenSnapshot {
  readonly epoch: number;
  readonly step: number;
  readonly files: readonly PartFile[];
}

export interface EpochResult {
  readonly epoch: number;
  readonly loss: number;
  readonly accuracy: number;
}

export interface SnapshotParts {
  write(snapshot: FeatureSnapshot): Promise<WrittenSnapshot>;
  /** Records an epoch's result. */
  record(result: EpochResult): Promise<void>;
}

/** @param run describes the training as a run whose shards are snapshots @param rows one per probe sample */
export function openSnapshotParts(storage: Storage, run: RunRecord, rows: readonly Row[]): SnapshotParts {
  const schema = rowSchema(run);
  const snapshots: WrittenSnapshot[] = [];
  const epochs: EpochResult[] = [];
  // Replaced after each snapshot: whatever interrupts the training, it names the parts that are whole.
  const save = (): Promise<void> => storage.replace(FIT_FILE, encodeJson({ ...run, epochs, snapshots }));

  return {
    async write({ epoch, step, features }): Promise<WrittenSnapshot> {
      const part = await openPart(storage, run, snapshots.length, schema);
      try {
        const moment = [BigInt(epoch), BigInt(step)];
        const marked = rows.map(row => ({
          ...row,
          sample: { ...row.sample, carried: [...row.sample.carried, ...moment] },
        }));
        const tensors = features.map(({ tensor }) => tensor);
        await part.write(encodeRows(schema, run.columns, marked, tensors));
        const written = { epoch, step, files: await part.publish() };
        snapshots.push(written);
        await save();
        return written;
      } finally {
        await part.abort();
      }
    },
    async record(result): Promise<void> {
      epochs.push(result);
      await save();
    },
  };
}

/** A training has its directory for itself: two of them in one would read as one. */
export async function requireEmpty(storage: Storage): Promise<void> {
  for await (const path of storage.list('.')) {
    throw new Refusal('run-mismatch', `Expected '${storage.root}' to be empty but it holds '${path.slice(2)}'`, {
      hint: 'Choose another --out.',
    });
  }
}
