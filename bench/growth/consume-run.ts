// A worker's parent without engine processes: takes every shard from a queue, does nothing and ends. For queue.ts.
import { openBullmqQueue } from '../../shared/src/queues/bullmq.ts';

/** As consumer.ts has it for one engine process. */
const CONCURRENCY = 2;

const [url = '', name = ''] = process.argv.slice(2);
const queue = await openBullmqQueue({ url, name });
let shards = 0;
let first = 0;
let last = 0;
let cpuBefore = process.cpuUsage();
const idle = new Promise<void>(resolve => {
  void queue.consume(
    async () => {
      if (shards++ === 0) {
        first = performance.now();
        cpuBefore = process.cpuUsage();
      }
      last = performance.now();
    },
    { concurrency: CONCURRENCY, onIdle: resolve },
  );
});
await idle;
const { user, system } = process.cpuUsage(cpuBefore);
await queue.close();
process.stdout.write(
  `${JSON.stringify({ shards, seconds: shards === 0 ? 0 : (last - first) / 1000, cpuSeconds: (user + system) / 1e6 })}\n`,
);
