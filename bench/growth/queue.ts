// Many shards through Redis and out again, without any work: what the queue itself costs. For main.ts.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { enqueueRun } from '../../services/producer/src/enqueue.ts';
import { planRun } from '../../services/producer/src/plan.ts';
import { extractOptions } from '../../shared/src/extract-options.ts';
import { parseOptions } from '../../shared/src/options.ts';
import { openBullmqQueue } from '../../shared/src/queues/bullmq.ts';
import { readInfo } from '../../shared/src/queues/redis-info.ts';
import { lastLine, measureProcess } from '../measure-process.ts';

const CONSUMER = fileURLToPath(new URL('./consume-run.ts', import.meta.url));

export interface QueueOptions {
  readonly redis: string;
  readonly shards: number;
  /** Numbers of workers, tried in turn. */
  readonly workers: readonly number[];
  readonly folder: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface QueueGrowth {
  readonly shards: number;
  readonly enqueuedPerSecond: number;
  /** Of Redis' memory, while it waits. */
  readonly bytesPerShard: number;
  readonly consumers: readonly {
    readonly workers: number;
    /** All workers together. */
    readonly shardsPerSecond: number;
    /** Milliseconds of processor time of a worker's parent. */
    readonly perShard: number;
  }[];
}

const Consumed = z.object({ shards: z.number(), seconds: z.number(), cpuSeconds: z.number() });

export async function measureQueue(options: QueueOptions): Promise<QueueGrowth> {
  const { redis, shards, folder, say, signal } = options;
  const list = join(folder, 'shards.txt');
  await writeFile(list, Array.from({ length: shards }, (_, row) => `photos/${row}.jpg\n`).join(''));
  const consumers: QueueGrowth['consumers'][number][] = [];
  let [enqueuedPerSecond, bytesPerShard] = [0, 0];
  for (const workers of options.workers) {
    const out = join(folder, `queue-${workers}`);
    const argv = ['--model', 'null:8', '--layer', 'features', '--size', '8x8', '--scale', '1', '--shard-size', '1'];
    const { values } = parseOptions(extractOptions, { argv: [...argv, '--out', out], env: {}, command: 'growth' });
    const { run, storage } = await planRun({ ...values, source: list });
    const name = `growth-${workers}`;
    const queue = await openBullmqQueue({ url: redis, name });
    try {
      const before = await usedMemory(redis);
      const started = performance.now();
      await enqueueRun(queue, run, storage, { maxWaiting: Number.POSITIVE_INFINITY });
      enqueuedPerSecond = shards / ((performance.now() - started) / 1000);
      bytesPerShard = ((await usedMemory(redis)) - before) / shards;
      say(
        `${shards} shards queued: ${Math.round(enqueuedPerSecond)} a second, ${Math.round(bytesPerShard)} bytes each`,
      );
      const measured = await Promise.all(
        Array.from({ length: workers }, () =>
          measureProcess({ command: process.execPath, args: ['--import', 'tsx', CONSUMER, redis, name], signal }),
        ),
      );
      const told = measured.map(({ stdout }) => Consumed.parse(lastLine(stdout)));
      const total = told.reduce((sum, one) => sum + one.shards, 0);
      if (total !== shards) throw new Error(`Expected ${shards} shards to be taken but ${total} were`);
      const seconds = Math.max(...told.map(one => one.seconds));
      const cpuSeconds = told.reduce((sum, one) => sum + one.cpuSeconds, 0);
      consumers.push({ workers, shardsPerSecond: shards / seconds, perShard: (1000 * cpuSeconds) / shards });
      say(`${workers} workers: ${Math.round(shards / seconds)} shards a second`);
    } finally {
      await queue.close();
    }
  }
  return { shards, enqueuedPerSecond, bytesPerShard, consumers };
}

async function usedMemory(redis: string): Promise<number> {
  return Number((await readInfo({ url: redis }))?.get('used_memory'));
}
