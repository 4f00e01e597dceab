// npm run bench:growth: what grows with the number of images, shards and workers, and what stays: time per image, memory,
// Redis. The constants behind docs/scaling.md.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openOwnRedis } from '../../setup/src/own-redis.ts';
import { prepareStart } from '../../setup/src/prepare.ts';
import { createLifecycle } from '../../shared/src/lifecycle.ts';
import { describeMachine } from '../machine.ts';
import { measureQueue, type QueueGrowth } from './queue.ts';
import { formatGrowth } from './report.ts';
import { measureRows, type RowsGrowth } from './rows.ts';

const HELP = `What grows with images, shards and workers

Usage: npm run bench:growth -- [options]

  --null-rows LIST     rows of the runs without images (10000,100000,1000000)
  --image-rows LIST    rows of the runs over real images (1000,10000)
  --shards N           shards that go through Redis (20000)
  --workers LIST       worker processes on that queue (1,2,4)
  --rounds N           each run so many times, the median counts (3)
  --help               show this help
`;

const lifecycle = createLifecycle();
await lifecycle.run(async () => {
  const { values } = parseArgs({
    options: {
      'null-rows': { type: 'string', default: '10000,100000,1000000' },
      'image-rows': { type: 'string', default: '1000,10000' },
      shards: { type: 'string', default: '20000' },
      workers: { type: 'string', default: '1,2,4' },
      rounds: { type: 'string', default: '3' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'layertap-growth-'));
  lifecycle.defer(() => rm(folder, { recursive: true, force: true }));
  await prepareStart(say);
  const server = await openOwnRedis({ log: say });
  lifecycle.defer(() => server.close());
  const machine = await describeMachine();
  const common = { folder, say, signal: lifecycle.stopping };
  const rounds = Number(values.rounds);
  const rows: RowsGrowth[] = [];
  for (const [kind, list] of [
    ['null', values['null-rows']],
    ['images', values['image-rows']],
  ] as const) {
    for (const count of numbers(list)) rows.push(await measureRows({ ...common, kind, rows: count, rounds }));
  }
  const queue: QueueGrowth = await measureQueue({
    ...common,
    redis: server.url,
    shards: Number(values.shards),
    workers: numbers(values.workers),
  });
  process.stdout.write(formatGrowth({ machine, date: new Date().toISOString(), rows, queue }));
});

function numbers(list: string): readonly number[] {
  return list.split(',').filter(Boolean).map(Number);
}

function say(line: string): void {
  process.stderr.write(`[growth] ${line}\n`);
}
