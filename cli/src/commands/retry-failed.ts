// layertap retry-failed: does only the failed rows of a run again; all others keep their values.
import { z } from 'zod';
import { planRetry } from '../../../services/producer/src/plan-retry.ts';
import { settleSharedFiles } from '../../../services/worker/src/compact-run.ts';
import { replaceRows } from '../../../services/worker/src/replace-rows.ts';
import { SAMPLE_ERROR_CODES } from '../../../shared/src/errors.ts';
import { outputOptions, prepareOptions, workerOptions } from '../../../shared/src/extract-options.ts';
import { finishRun, summarizeRun } from '../../../shared/src/finish-run.ts';
import { defineCommand } from '../command.ts';
import { runEmbedded } from '../embedded.ts';
import { checkModels, prepareEngines } from '../run-models.ts';
import { openStandingRun } from '../standing-run.ts';

export const retryFailed = defineCommand({
  name: 'retry-failed',
  summary: 'Do the failed images of a run again; the values of all others stay as they are',
  positionals: 'OUT',
  options: {
    code: z
      .array(z.enum(SAMPLE_ERROR_CODES))
      .default([])
      .meta({ description: 'Only images that failed with this code; without it, all that failed', value: 'CODE' }),
    ...workerOptions,
    ...prepareOptions,
    ...outputOptions,
  },
  async run({ options, positionals, lifecycle }): Promise<number> {
    const { storage, run } = await openStandingRun('retry-failed', positionals);
    const codes = new Set<string>(options.code);
    const retry = await planRetry(storage, run, codes, lifecycle.stopping);
    if (retry !== undefined) lifecycle.defer(() => retry.remove());
    if (retry !== undefined) {
      await checkModels(run);
      await prepareEngines(run, options);
      const goOn = `Nothing was changed yet: run the same command again.`;
      await runEmbedded({ ...options, run: retry.run, storage: retry.storage, lifecycle, goOn });
    }
    // What an earlier one left half done is ended in any case.
    if (retry === undefined) await settleSharedFiles(storage, run);
    const done =
      retry === undefined ? { shards: 0, rows: 0, ok: 0 } : await replaceRows(storage, run, { ...retry, codes });
    const summary = (await finishRun(storage, run)) ?? (await summarizeRun(storage, run));
    const { failed, failures } = summary;
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ out: storage.root, retried: done.rows, ok: done.ok, shards: done.shards, failed, failures })}\n`
        : `${describe(done.rows, done.ok)}; ${failed} of ${summary.rows} failed in all\n`,
    );
    return done.ok === done.rows ? 0 : 1;
  },
});

function describe(rows: number, ok: number): string {
  return rows === 0 ? 'no failed image to do again' : `${rows} done again: ${ok} ok now, ${rows - ok} failed again`;
}
