// npm run chaos: random faults against real processes, a real Redis and real files. Status 1 and the seed where anything is lost.
import { parseArgs } from 'node:util';
import { Refusal } from '../../shared/src/errors.ts';
import { createLifecycle } from '../../shared/src/lifecycle.ts';
import { runChaos } from './chaos.ts';
import { FAULTS, type FaultName } from './faults.ts';

const HELP = `Random faults against runs through Redis; every run must end whole, with the parts of an undisturbed one

Usage: npm run chaos -- [options]

  --minutes N  how long (5)
  --seed S     decides which faults come, in which order (the time of day)
  --rows N     images of each run; with many, one run takes all of them (1600)
  --faults A,B only these; by itself all, in less than two minutes those that are short
  --help       show this help

Faults: ${Object.keys(FAULTS).join(', ')}
`;

function namesOf(text: string): readonly FaultName[] {
  const names = text.split(',').map(name => name.trim());
  const unknown = names.find(name => !(name in FAULTS));
  if (unknown === undefined) return names as FaultName[];
  throw new Refusal('bad-option', `Expected faults of the list but received '${unknown}'`, {
    hint: `There are: ${Object.keys(FAULTS).join(', ')}.`,
  });
}

const lifecycle = createLifecycle();
await lifecycle.run(async () => {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '5' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      rows: { type: 'string', default: '1600' },
      faults: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const started = performance.now();
  const log = (line: string): void =>
    void process.stderr.write(`[chaos ${((performance.now() - started) / 1000).toFixed(1)} s] ${line}\n`);
  const seed = Number(values.seed);
  log(`seed ${seed}`);
  const { problems, runs, shards, faults } = await runChaos({
    seconds: 60 * Number(values.minutes),
    seed,
    rows: Number(values.rows),
    ...(values.faults !== undefined && { faults: namesOf(values.faults) }),
    log,
    signal: lifecycle.stopping,
  });
  const counts = Object.entries(faults).map(([name, count]) => `  ${count} × ${name}`);
  const total = Object.values(faults).reduce((sum, count) => sum + count, 0);
  process.stdout.write(
    `${[`${total} faults in ${runs} runs of ${shards} shards, seed ${seed}`, ...counts].join('\n')}\n`,
  );
  for (const problem of problems) process.stdout.write(`PROBLEM (seed ${seed}): ${problem}\n`);
  return problems.length === 0 ? 0 : 1;
});
