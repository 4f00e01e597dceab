// A process of its own that works on a run directory and is killed with SIGKILL before the nth step that changes a file.
// Prints how many steps it took where it came to its end.
import { join } from 'node:path';
import { addColumns } from '../../services/worker/src/add-columns.ts';
import { compactRun } from '../../services/worker/src/compact-run.ts';
import { replaceRows } from '../../services/worker/src/replace-rows.ts';
import { openRun, type RunRecord } from '../../shared/src/run.ts';
import type { StagedFile, Storage } from '../../shared/src/storage.ts';
import { openFileStorage } from '../../shared/src/storages/file.ts';

export type KilledWork =
  | { readonly kind: 'replace-rows'; readonly retry: string }
  | { readonly kind: 'compact'; readonly fileBytes: number }
  | { readonly kind: 'add-columns'; readonly folder: string; readonly extended: RunRecord };

export interface KillOrders {
  readonly out: string;
  readonly work: KilledWork;
  /** 1 kills before anything is changed. */
  readonly step: number;
}

const { out, work, step }: KillOrders = JSON.parse(process.argv[2] ?? '{}');
let steps = 0;

function begin(): void {
  if (++steps === step) process.kill(process.pid, 'SIGKILL');
}

function killing(storage: Storage): Storage {
  return {
    ...storage,
    async stage(directory): Promise<StagedFile> {
      begin();
      const staged = await storage.stage(directory);
      return {
        ...staged,
        publish(path): Promise<void> {
          begin();
          return staged.publish(path);
        },
        publishOnce(path): Promise<boolean> {
          begin();
          return staged.publishOnce(path);
        },
      };
    },
    createOnce(path, bytes): Promise<boolean> {
      begin();
      return storage.createOnce(path, bytes);
    },
    replace(path, bytes): Promise<void> {
      begin();
      return storage.replace(path, bytes);
    },
    removeFolder(path): Promise<void> {
      begin();
      return storage.removeFolder(path);
    },
    remove(path): Promise<void> {
      begin();
      return storage.remove(path);
    },
  };
}

const storage = killing(openFileStorage(out));
const run = await openRun(storage);
if (work.kind === 'compact') await compactRun(storage, run, work);
else if (work.kind === 'add-columns') {
  const own = openFileStorage(join(out, work.folder));
  await addColumns(storage, run, { storage: own, run: await openRun(own), extended: work.extended });
} else {
  const retry = openFileStorage(work.retry);
  await replaceRows(storage, run, { storage: retry, run: await openRun(retry), codes: new Set() });
}
process.stdout.write(String(steps));
