// npm run load: 20,000 shards, 8 workers, half of them killed every few seconds. Status 1 where anything is lost.
import { parseArgs } from 'node:util';
import { createLifecycle } from '../../shared/src/lifecycle.ts';
import { runLoad } from './load.ts';

const HELP = `Many tiny shards through Redis while half of the workers are killed again and again

Usage: npm run load -- [options]

  --shards N   of 4 rows without an image (20000)
  --workers N  processes of one engine process each (8)
  --blow S     seconds between two blows (10)
  --help       show this help
`;

const lifecycle = createLifecycle();
await lifecycle.run(async () => {
  const { values } = parseArgs({
    options: {
      shards: { type: 'string', default: '20000' },
      workers: { type: 'string', default: '8' },
      blow: { type: 'string', default: '10' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const report = await runLoad({
    shards: Number(values.shards),
    workers: Number(values.workers),
    blowSeconds: Number(values.blow),
    log: line => void process.stderr.write(`[load] ${line}\n`),
    signal: lifecycle.stopping,
  });
  const { shards, seconds, workersKilled, mostWaiting, redisMegabytes, producerMegabytes, idle, problems } = report;
  const { early, most } = producerMegabytes;
  const lines = [
    `${shards} shards in ${seconds.toFixed(0)} s: ${(shards / seconds).toFixed(0)} shards/s, ${workersKilled} workers killed on the way`,
    `from the end of a shard to the next one in the same process: median ${ms(idle.median)}, p99 ${ms(idle.p99)}`,
    `at most ${mostWaiting} jobs waited, Redis took ${redisMegabytes.toFixed(1)} MB`,
    `the producer had ${early.toFixed(0)} MB after a quarter of the time, ${most.toFixed(0)} MB at most`,
    ...problems.map(problem => `PROBLEM: ${problem}`),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return problems.length === 0 ? 0 : 1;
});

function ms(seconds: number): string {
  return `${(1000 * seconds).toFixed(1)} ms`;
}
