// What a producer says of a run that is all done.
import { expect, it } from 'vitest';
import { produce } from '../../../services/producer/src/produce.ts';
import { createLogger } from '../../../shared/src/logger.ts';
import { openMemoryQueue } from '../../../shared/src/queues/memory.ts';
import { readReceipt, receiptPath } from '../../../shared/src/run.ts';
import { refusalOf } from '../../support/refusal.ts';
import { createSmallRun, publishShards } from '../../support/small-run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

it('a run of which a compaction did not end is none that is done', async () => {
  const small = await createSmallRun(await temporaryFolder());
  await publishShards(small);
  const { storage, run } = small;
  const queue = openMemoryQueue();
  const signal = new AbortController().signal;
  const options = { queue, run, storage, wait: true, signal, logger: createLogger({ json: false }) };
  expect(await produce(options)).toMatchObject({ rows: 10 });
  const receipt = await readReceipt(storage, run, 0);
  if (receipt === undefined) throw new Error('Expected a receipt');
  const files = receipt.files.map(file => ({ ...file, range: { first: 0, of: 8 } }));
  await storage.replace(receiptPath(run, 0), new TextEncoder().encode(JSON.stringify({ ...receipt, files })));
  const { hint } = await refusalOf(() => produce(options), 'run-incomplete');
  expect(hint).toContain(`npx layertap compact ${small.root}`);
});
