// The receipt's schema: strict, since it alone means that a shard is done.
import { describe, expect, it } from 'vitest';
import { noSeconds, ShardReceipt, STAGES } from '../../shared/src/receipt.ts';
import { createSmallRun, publishPart, receiptOf } from '../support/small-run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function someReceipt(): Promise<ShardReceipt> {
  const small = await createSmallRun(await temporaryFolder());
  return receiptOf(small, 0, await publishPart(small, 0));
}

describe('a receipt', () => {
  it('reads its own output back', async () => {
    const receipt = await someReceipt();
    expect(ShardReceipt.parse(JSON.parse(JSON.stringify(receipt)))).toEqual(receipt);
  });

  it('is refused with another version, half a row, an unknown format or an unknown field', async () => {
    const receipt = await someReceipt();
    const wrong = [
      { version: 2 },
      { rows: 1.5 },
      { files: [{ ...receipt.files[0], format: 'csv' }] },
      { files: [{ ...receipt.files[0], rows: undefined }] },
      { done: true },
    ];
    for (const fields of wrong) expect(ShardReceipt.safeParse({ ...receipt, ...fields }).success).toBe(false);
  });

  it('has seconds for every stage, from 0', () => {
    expect(Object.keys(noSeconds())).toEqual([...STAGES]);
    expect(new Set(Object.values(noSeconds()))).toEqual(new Set([0]));
    expect(noSeconds()).not.toBe(noSeconds());
  });
});
