// The same pipeline on the services: a producer queues in Redis, two workers of one engine process each take from it.
import { join } from 'node:path';
import type { Contestant, ContestantOptions } from '../contestant.ts';
import { measureProcess } from '../measure-process.ts';
import { LAYERTAP, readSummary, requestOf } from './pipeline.ts';

const WORKERS = 2;

export function pipelineThroughRedis(options: ContestantOptions & { readonly redis: string }): Contestant {
  const { inputs, folder, redis } = options;
  let runs = 0;
  return {
    name: `through Redis, ${WORKERS} workers`,
    async run() {
      const out = join(folder, `redis-${++runs}`);
      const queue = ['--redis', redis, '--queue', `bench-${runs}`];
      const stopping = new AbortController();
      const workers = Array.from({ length: WORKERS }, () =>
        measureProcess({
          command: process.execPath,
          args: [LAYERTAP, 'work', ...queue, '--processes', '1', '--threads', '1', '--decode-threads', '1'],
          signal: options.signal,
          stop: stopping.signal,
        }),
      );
      try {
        await measureProcess({
          command: process.execPath,
          args: [LAYERTAP, 'enqueue', ...requestOf(options, out), '--wait', ...queue],
          signal: options.signal,
        });
      } finally {
        stopping.abort();
      }
      const measured = await Promise.all(workers);
      const { imagesPerSecond } = await readSummary(out, inputs.images.length);
      return {
        steady: imagesPerSecond,
        whole: null,
        peaks: measured.flatMap(({ peaks }) => peaks),
        versions: {},
      };
    },
  };
}
