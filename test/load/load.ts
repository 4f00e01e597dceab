// The load: many tiny shards without images through Redis, many workers, half of which are killed every few seconds, and a
// producer that holds back. For load-main.ts.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { openOwnRedis } from '../../setup/src/own-redis.ts';
import { openRun, readReceipts } from '../../shared/src/run.ts';
import { openFileStorage } from '../../shared/src/storages/file.ts';
import { type KeptWorkers, keepWorkers } from '../support/kept-workers.ts';
import { residentMegabytes } from '../support/processes.ts';
import { lastLines, type RunResult, startProgram } from '../support/programs.ts';

export interface LoadOptions {
  readonly shards: number;
  readonly workers: number;
  /** Seconds between two blows, each of which kills half of the workers. */
  readonly blowSeconds: number;
  readonly log?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface LoadReport {
  readonly shards: number;
  /** From the first job to the producer's end. */
  readonly seconds: number;
  readonly workersKilled: number;
  /** Jobs that waited in Redis at most. */
  readonly mostWaiting: number;
  readonly redisMegabytes: number;
  /** Of the producer, at a quarter of its time and at most. */
  readonly producerMegabytes: { readonly early: number; readonly most: number };
  /** From the end of a shard to the begin of the next one in the same engine process; seconds. */
  readonly idle: { readonly median: number; readonly p99: number };
  readonly problems: readonly string[];
}

const ROWS_PER_SHARD = 4;
const SAMPLE_MS = 500;

export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const { log = () => undefined } = options;
  const folder = await mkdtemp(join(tmpdir(), 'layertap-load-'));
  const redis = await openOwnRedis();
  const problems: string[] = [];
  let workersKilled = 0;
  let workers: KeptWorkers | undefined;
  // Whoever stops the load may have stopped Redis before.
  const client = new Redis(redis.url, { maxRetriesPerRequest: 1 }).on('error', () => undefined);
  try {
    const list = join(folder, 'list.txt');
    const rows = options.shards * ROWS_PER_SHARD;
    await writeFile(list, Array.from({ length: rows }, (_, row) => `photos/${row}.jpg\n`).join(''));
    const out = join(folder, 'out');
    const request = ['--model', 'null:8', '--layer', 'features', '--size', '8x8', '--scale', '1', '--batch', '4'];
    workers = keepWorkers(options.workers, redis.url);
    const started = performance.now();
    const producer = startProgram('layertap', [
      ...['enqueue', list, ...request, '--shard-size', String(ROWS_PER_SHARD), '--out', out],
      ...['--redis', redis.url, '--wait', '--json'],
    ]);
    let result: RunResult | undefined;
    void producer.ended.then(ended => {
      result = ended;
    });
    const memory: number[] = [];
    let [mostWaiting, redisMegabytes, nextBlow] = [0, 0, started + 1000 * options.blowSeconds];
    while (result === undefined && options.signal?.aborted !== true) {
      await pause(SAMPLE_MS);
      mostWaiting = Math.max(mostWaiting, await client.llen('bull:layertap:wait'));
      redisMegabytes = Math.max(redisMegabytes, await usedMegabytes(client));
      const megabytes = residentMegabytes(producer.pid);
      if (megabytes !== undefined) memory.push(megabytes);
      if (performance.now() < nextBlow) continue;
      nextBlow += 1000 * options.blowSeconds;
      for (const worker of workers.living().slice(0, Math.ceil(options.workers / 2))) {
        worker.kill('SIGKILL');
        workersKilled++;
      }
      log(`${workersKilled} workers killed so far, ${await client.llen('bull:layertap:wait')} jobs waiting`);
    }
    const seconds = (performance.now() - started) / 1000;
    producer.kill('SIGKILL');
    if ((await producer.ended).code !== 0) problems.push(`the producer: ${lastLines(await producer.ended)}`);
    const verified = await startProgram('layertap', ['verify', out]).ended;
    if (verified.code !== 0) problems.push(`verify: ${lastLines(verified)}`);
    const idle = await idleTimes(out);
    return {
      ...{ shards: options.shards, seconds, workersKilled, mostWaiting, redisMegabytes, problems },
      producerMegabytes: { early: memory[Math.floor(memory.length / 4)] ?? 0, most: Math.max(0, ...memory) },
      idle: { median: quantile(idle, 0.5), p99: quantile(idle, 0.99) },
    };
  } finally {
    client.disconnect();
    await workers?.close();
    await redis.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function usedMegabytes(client: Redis): Promise<number> {
  const info = await client.info('memory');
  return Number(/^used_memory:(\d+)/m.exec(info)?.[1] ?? 0) / 1e6;
}

/** Ascending. A process that was killed has no next shard. */
async function idleTimes(out: string): Promise<readonly number[]> {
  const storage = openFileStorage(out);
  const byProcess = new Map<number, { readonly began: number; readonly ended: number }[]>();
  for await (const { worker, finishedAt, totalSeconds } of readReceipts(storage, await openRun(storage))) {
    const ended = Date.parse(finishedAt) / 1000;
    byProcess.set(worker.pid, [...(byProcess.get(worker.pid) ?? []), { began: ended - totalSeconds, ended }]);
  }
  const idle: number[] = [];
  for (const shards of byProcess.values()) {
    shards.sort((a, b) => a.ended - b.ended);
    shards.forEach(({ began }, index) => {
      const before = shards[index - 1];
      if (before !== undefined) idle.push(Math.max(0, began - before.ended));
    });
  }
  return idle.sort((a, b) => a - b);
}

function quantile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(share * ascending.length))] ?? Number.NaN;
}
