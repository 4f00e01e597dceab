// Which columns of two runs can be compared.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { compareRuns } from '../../../cli/src/diff/compare-features.ts';
import { createSmallRun, publishShards } from '../../support/small-run.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

it('a column of as many values in another shape is not compared', async () => {
  const root = await temporaryFolder();
  const of = async (name: string, shape: readonly number[]) => {
    const columns = [
      { name: 'map', dtype: 'float32', shape },
      { name: 'pool', dtype: 'float32', shape: [4] },
    ] as const;
    const small = await createSmallRun(join(root, name), { columns });
    await publishShards(small);
    return small;
  };
  const compared = await compareRuns(await of('one', [2, 4, 8]), await of('other', [8, 2, 4]));
  expect(compared.unmatched).toEqual(['map']);
  expect(compared.columns).toMatchObject([{ column: 'pool', rows: 10, identical: 10 }]);
});
