// The search for images that kill their process, over real processes that die as their job says.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type EngineClient, openEngineClient } from '../../../services/worker/src/engine-client.ts';
import { processIsolating } from '../../../services/worker/src/isolate-crash.ts';
import { readQuarantine } from '../../../services/worker/src/quarantine.ts';
import { JOB_VERSION, type ShardJob } from '../../../shared/src/job.ts';
import type { Logger } from '../../../shared/src/logger.ts';
import { defer } from '../../support/deferred.ts';
import { createSmallRun, type SmallRun } from '../../support/small-run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const ROWS = 40;
const DEATH = 'ended by SIGSEGV';

interface Trial {
  readonly small: SmallRun;
  readonly client: EngineClient;
  /** Rows of each probe that looks at any. */
  readonly probes: (readonly number[])[];
  readonly messages: string[];
  work(options?: { readonly mostInVain?: number }): Promise<unknown>;
  culprits(): Promise<readonly number[]>;
}

/** One shard in batches of 3, so that 9 rows are in work; its process does what `behaviour` says. */
async function trial(behaviour: string, onProbe?: () => void): Promise<Trial> {
  const small = await createSmallRun(await temporaryFolder(), { rows: ROWS, shardSize: ROWS });
  const probes: (readonly number[])[] = [];
  const messages: string[] = [];
  const logger: Logger = {
    log(_level, message, fields): void {
      messages.push(message);
      const rows = fields?.rows as readonly number[] | undefined;
      if (message !== 'probed' || rows === undefined || rows.length === 0) return;
      probes.push(rows);
      onProbe?.();
    },
  };
  const client = openEngineClient({
    script: new URL('../../support/deadly-child.mjs', import.meta.url),
    env: { PATH: process.env.PATH },
    logger,
    restartDelayMs: 1_000_000,
  });
  onTestFinished(() => client.close({ force: true }));
  const { runId } = small.run;
  const job: ShardJob = { version: JOB_VERSION, out: small.root, runId, fingerprint: behaviour, shard: 0 };
  const never = new AbortController().signal;
  return {
    small,
    client,
    probes,
    messages,
    work: options => processIsolating(client, job, { attempt: 2, signal: never, logger, ...options }),
    culprits: async () => [...(await readQuarantine(small.storage, small.run, 0)).keys()].sort((a, b) => a - b),
  };
}

describe('a shard that kills its process', () => {
  it.each([0, 7, 25, 39])('is done without the one image that does it, row %i', async row => {
    const { work, culprits } = await trial(`deadly ${row}`);
    expect(await work()).toMatchObject({ shard: 0, attempt: 3 });
    expect(await culprits()).toEqual([row]);
  });

  it('is done without all of several images, neighbours too', async () => {
    const { work, culprits } = await trial('deadly 3 4 30');
    expect(await work()).toMatchObject({ attempt: 5 });
    expect(await culprits()).toEqual([3, 4, 30]);
  });

  it('looks at the rows first that were in work, halves them, and asks twice', async () => {
    const { work, probes } = await trial('deadly 7');
    await work();
    // Two rows were done.
    expect(probes).toEqual([[2, 3, 4, 5, 6, 7, 8, 9, 10], [2, 3, 4, 5, 6], [7, 8], [7], [7], [7]]);
  });

  it('looks at all rows where those in work kill nobody', async () => {
    const { work, probes } = await trial('deadly 39');
    await work();
    expect(probes.slice(0, 2).map(rows => rows.length)).toEqual([9, 20]);
    expect(probes.slice(-2)).toEqual([[39], [39]]);
  });

  it('says in the record how the process ended', async () => {
    const { work, small } = await trial('deadly 7');
    await work();
    expect((await readQuarantine(small.storage, small.run, 0)).get(7)).toMatchObject({ row: 7, death: DEATH });
  });

  it('needs no death where its image is in quarantine already', async () => {
    const { work, messages } = await trial('deadly 7');
    await work();
    messages.splice(0);
    expect(await work()).toMatchObject({ attempt: 2 });
    expect(messages.join()).not.toContain('ended by');
  });
});

describe('no image is accused', () => {
  it.each([1, 2, 4, 7])('where somebody kills the process %i times and then no more', async deaths => {
    const counter = join(await temporaryFolder(), 'deaths');
    await writeFile(counter, String(deaths));
    const { work, culprits } = await trial(`unlucky ${counter}`);
    await expect(work()).rejects.toThrow(`engine process ${DEATH} while working on shard 0`);
    expect(await readFile(counter, 'utf8')).toBe('0');
    expect(await culprits()).toEqual([]);
    // What the next attempt finds.
    expect(await work()).toMatchObject({ shard: 0 });
  });

  it('where the process dies without a look at any', async () => {
    const { work, culprits, probes, messages } = await trial('deadly-start');
    await expect(work()).rejects.toThrow(`engine process ${DEATH} while working on shard 0`);
    expect(probes).toEqual([]);
    expect(messages.at(-1)).toContain(`left to its next attempt: engine process ${DEATH} while probing 0 images`);
    expect(await culprits()).toEqual([]);
  });

  it('any more where every image kills, after a few', async () => {
    const { work, culprits, messages } = await trial('deadly any');
    await expect(work({ mostInVain: 2 })).rejects.toThrow(`engine process ${DEATH} while working on shard 0`);
    expect(messages.at(-1)).toContain('rather the machine than the images');
    expect(await culprits()).toEqual([2]);
  });

  it('where the worker is closed during the search', async () => {
    const closed = defer<Promise<void>>();
    // Within the first probe, which the process lives through: it could go on.
    const { work, client, culprits, messages } = await trial('deadly 39', () => closed.resolve(client.close()));
    await expect(work()).rejects.toThrow(`engine process ${DEATH} while working on shard 0`);
    await closed.promise;
    expect(messages.at(-1)).toContain('left to its next attempt: the worker is closing');
    expect(await culprits()).toEqual([]);
  });
});
