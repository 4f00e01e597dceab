// The run that an engine process works on, opened once for all of its shards. For engine-process.ts.
import type { ResolveAllowed } from '../../../shared/src/allowed-roots.ts';
import { Refusal } from '../../../shared/src/errors.ts';
import type { ShardJob } from '../../../shared/src/job.ts';
import { type ManifestReader, openManifestReader } from '../../../shared/src/manifest-reader.ts';
import { openRun, RUN_FILE, type RunRecord } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { openFileStorage } from '../../../shared/src/storages/file.ts';
import { requireAllowed, requireAllowedRun } from './allowed-run.ts';

export interface OpenedRun {
  readonly out: string;
  readonly run: RunRecord;
  readonly storage: Storage;
  readonly manifest: ManifestReader;
}

export interface RunHolder {
  /** Of one fingerprint, run.json and the manifest never change: they are read again only where the job is one of another run. */
  open(job: ShardJob): Promise<OpenedRun>;
}

export function createRunHolder(allowed: ResolveAllowed): RunHolder {
  let current: OpenedRun | undefined;

  return {
    async open(job): Promise<OpenedRun> {
      if (current?.out === job.out && isRunOf(job, current.run) && (await isStillThere(current))) {
        await requireAllowedRun(allowed, job.out, current.run, job.shard);
        return current;
      }
      // Before anything is read from it.
      await requireAllowed(allowed, 'the output directory', job.out);
      const storage = openFileStorage(job.out);
      const run = await openRun(storage);
      await requireAllowedRun(allowed, job.out, run, job.shard);
      if (!isRunOf(job, run)) {
        throw new Refusal('run-mismatch', `Expected run ${job.runId} in '${job.out}' but it holds run ${run.runId}`, {
          hint: 'The job is older than the directory: run `npx layertap resume` on it.',
        });
      }
      current = { out: job.out, run, storage, manifest: openManifestReader(storage, run.runId) };
      return current;
    },
  };
}

async function isStillThere({ storage }: OpenedRun): Promise<boolean> {
  return (await storage.size(RUN_FILE)) !== undefined;
}

/** `extend` gives a run another id, `add-layer` another fingerprint. */
function isRunOf({ runId, fingerprint }: ShardJob, run: RunRecord): boolean {
  return run.runId === runId && run.fingerprint === fingerprint;
}
