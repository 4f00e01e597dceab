// A minute of chaos: processes killed and frozen, Redis lost, the network down, and nothing is lost. `npm run chaos` does more.
import { expect, test } from 'vitest';
import { runChaos } from './chaos.ts';

const SEED = 20261126;

test('a minute of random faults loses no row and changes no byte', { timeout: 900_000 }, async () => {
  const lines: string[] = [];
  const { problems, faults, runs } = await runChaos({ seconds: 60, seed: SEED, log: line => lines.push(line) });
  // With the seed: `npm run chaos -- --minutes 1 --seed N` does it again.
  expect({ seed: SEED, problems, lines }).toEqual({ seed: SEED, problems: [], lines });
  expect(runs).toBeGreaterThan(0);
  expect(Object.keys(faults).length).toBeGreaterThan(3);
});
