// The pieces that all tests share: a real Redis and the Python packages.

import { expect, test } from 'vitest';
import { readInfo } from '../../shared/src/queues/redis-info.ts';
import { because, whyNot } from '../support/needs.ts';
import { runPython } from '../support/python.ts';
import { redisUrl } from '../support/redis.ts';

test('the shared Redis is a real one that never evicts', async () => {
  const info = await readInfo({ url: redisUrl() });
  expect(Number.parseInt(info?.get('redis_version') ?? '0', 10)).toBeGreaterThanOrEqual(6);
  expect(info?.get('maxmemory_policy')).toBe('noeviction');
});

const noPython = whyNot('python');

test.skipIf(noPython)(`Python has the interop packages at their pinned versions${because(noPython)}`, async () => {
  const versions = await runPython<Record<string, string>>(
    `import pyarrow, duckdb, polars, pandas, numpy, PIL
print(json.dumps({m.__name__: m.__version__ for m in (pyarrow, duckdb, polars, pandas, numpy, PIL)} | {'given': given}))`,
    'a "quoted" word',
  );
  expect(versions.given).toBe('a "quoted" word');
  expect(versions.pyarrow).toBe('26.0.1');
  expect(versions.PIL).toBe('13.0.0');
  expect(Object.keys(versions)).toHaveLength(7);
});
