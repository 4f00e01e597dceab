// npm run soak: does the memory of a run grow with its shards? Status 1 where it does by more than the bound.
import { parseArgs } from 'node:util';
import { createLifecycle } from '../../shared/src/lifecycle.ts';
import { type Growth, runSoak } from './soak.ts';

const BOUND_MB = 1;

const HELP = `One run with a real small model and shards of 8 images; memory may grow by less than ${BOUND_MB} MB in 1,000 shards

Usage: npm run soak -- [options]

  --minutes N  how long (20)
  --help       show this help
`;

const lifecycle = createLifecycle();
await lifecycle.run(async () => {
  const { values } = parseArgs({
    options: { minutes: { type: 'string', default: '20' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const log = (line: string): void => void process.stderr.write(`[soak] ${line}\n`);
  const report = await runSoak({ seconds: 60 * Number(values.minutes), signal: lifecycle.stopping, log });
  const { shards, seconds, parent, engine, problems } = report;
  process.stdout.write(
    [
      `${shards} shards in ${seconds.toFixed(0)} s`,
      `parent process: ${describe(parent)}`,
      `engine process that grew most: ${describe(engine)}`,
      ...problems.map(problem => `PROBLEM: ${problem}`),
      '',
    ].join('\n'),
  );
  const isFlat = [parent, engine].every(({ megabytesPerThousandShards }) => megabytesPerThousandShards < BOUND_MB);
  return isFlat && problems.length === 0 ? 0 : 1;
});

function describe({ firstMegabytes, lastMegabytes, megabytesPerThousandShards }: Growth): string {
  const [first, last] = [firstMegabytes.toFixed(1), lastMegabytes.toFixed(1)];
  return `${first} MB once settled, ${last} MB at the end, ${megabytesPerThousandShards.toFixed(3)} MB in 1,000 shards`;
}
