// Queueing a run: exactly the shards without a receipt, never more of them waiting than allowed.

import { describe, expect, it } from 'vitest';
import { enqueueRun } from '../../../services/producer/src/enqueue.ts';
import { openMemoryQueue } from '../../../shared/src/queues/memory.ts';
import { defer } from '../../support/deferred.ts';
import { createSmallRun, publishShard } from '../../support/small-run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

describe('enqueueRun', () => {
  it('queues the shards that have no receipt, as jobs that only refer to the run', async () => {
    const small = await createSmallRun(await temporaryFolder());
    await publishShard(small, 1);
    const queue = openMemoryQueue();
    expect(await enqueueRun(queue, small.run, small.storage)).toBe(2);
    expect(await queue.counts()).toMatchObject({ waiting: 2 });
    const { runId, fingerprint } = small.run;
    expect(await queue.peek()).toEqual({ version: 1, out: small.root, runId, fingerprint, shard: 0 });
  });

  it('queues nothing twice', async () => {
    const small = await createSmallRun(await temporaryFolder());
    const queue = openMemoryQueue();
    await enqueueRun(queue, small.run, small.storage);
    await enqueueRun(queue, small.run, small.storage);
    expect(await queue.counts()).toMatchObject({ waiting: 3 });
  });

  it('waits for the workers where as many jobs wait as may', async () => {
    const small = await createSmallRun(await temporaryFolder(), { rows: 1100, shardSize: 1 });
    const queue = openMemoryQueue();
    let most = 0;
    const all = defer();
    const seen = new Set<number>();
    const enqueued = enqueueRun(queue, small.run, small.storage, { maxWaiting: 300 });
    await queue.consume(
      async ({ shard }) => {
        most = Math.max(most, (await queue.counts()).waiting);
        seen.add(shard);
        if (seen.size === 1100) all.resolve();
      },
      { concurrency: 4 },
    );
    expect(await enqueued).toBe(1100);
    await all.promise;
    // Jobs come in chunks of 500: one chunk above the bound at most.
    expect(most).toBeLessThan(300 + 500);
    await queue.close();
  });

  it('stops waiting when it is told to', async () => {
    const small = await createSmallRun(await temporaryFolder());
    const queue = openMemoryQueue();
    const stopping = new AbortController();
    const enqueued = enqueueRun(queue, small.run, small.storage, { maxWaiting: 0, signal: stopping.signal });
    stopping.abort(new Error('told to stop'));
    await expect(enqueued).rejects.toThrow('told to stop');
    expect(await queue.counts()).toMatchObject({ waiting: 0 });
  });
});
