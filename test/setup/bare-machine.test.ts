// What `npm run test:bare` says of its machines; the machines themselves take a quarter of an hour each.

import { expect, test } from 'vitest';
import { formatOutcomes, readSummary, testOnBareMachines } from '../../setup/src/bare-machine.ts';

const OUTPUT = `
 Test Files  1 failed | 300 passed | 4 skipped (305)
      Tests  1 failed | 4400 passed | 93 skipped (4494)
   Start at  12:47:14

    64 skipped: no C++ compiler
    29 skipped: no ../shared/data
`;

test('the counts and the reasons are those that the run printed', () => {
  expect(readSummary(OUTPUT)).toEqual({
    counts: '1 failed | 4400 passed | 93 skipped (4494)',
    skipped: ['64 skipped: no C++ compiler', '29 skipped: no ../shared/data'],
  });
  expect(readSummary('npm error')).toEqual({ counts: 'no test ran', skipped: [] });
});

test('a table has one line a machine', () => {
  const common = { ok: true, start: 'ok, 53 s', skipped: ['2 skipped: no git'] } as const;
  const table = formatOutcomes([
    { ...common, as: 'root', major: 20, test: 'ok, 900 s, 12 passed (12)' },
    { ...common, as: 'user', major: 24, test: 'ok, 9 s, 1 passed (1)' },
  ]);
  expect(table.split('\n')).toEqual([
    'as    Node  npm start  npm test',
    'root  20    ok, 53 s   ok, 900 s, 12 passed (12)',
    'user  24    ok, 53 s   ok, 9 s, 1 passed (1)',
    '',
    'root, Node 20: 2 skipped: no git',
    'user, Node 24: 2 skipped: no git',
  ]);
});

test.each([
  [['--as', 'nobody'], 'Expected root or user for --as but received nobody'],
  [['--node', '18'], 'Expected one of 20, 22, 24 for --node but received 18'],
])('%j is refused before anything starts', async (args, message) => {
  await expect(testOnBareMachines(args)).rejects.toThrow(message);
});
