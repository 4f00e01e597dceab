// The oldest PyArrow that is promised reads every kind of column. `npm run test:readers` tries all readers.
import { expect, it } from 'vitest';
import { preparePythonPackages } from '../../setup/src/python-packages.ts';
import { because } from '../support/needs.ts';
import { OLDEST_PYARROW, tryReaders } from './matrix.ts';

const missing = await preparePythonPackages(OLDEST_PYARROW.packages).then(
  () => undefined,
  (error: unknown) => String(error),
);

it.skipIf(missing)(
  `PyArrow 15 reads vectors, tensors and float16, whatever rows have failed${because(missing)}`,
  async () => {
    const cells = await tryReaders(OLDEST_PYARROW);
    expect(cells).toHaveLength(48);
    expect(cells.filter(({ outcome }) => outcome !== 'read')).toEqual([]);
  },
);
