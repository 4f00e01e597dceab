// The world of the chaos: a Redis behind a bad network, a producer and workers that a supervisor starts again whenever they
// end, and the run that they work on. For chaos.ts; faults.ts breaks it.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { makeDemoImages } from '../../demo/src/images.ts';
import { SHAPE_NAMES } from '../../demo/src/shapes.ts';
import { openOwnRedis } from '../../setup/src/own-redis.ts';
import type { RedisServer } from '../../setup/src/redis-server.ts';
import { keepWorkers } from '../support/kept-workers.ts';
import { lastLines, type Running, type RunResult, startProgram } from '../support/programs.ts';
import { openTcpProxy, type TcpProxy } from './tcp-proxy.ts';

const DEMO_MODEL = fileURLToPath(new URL('../../demo/model/model.json', import.meta.url));
const PER_CLASS = 4;
const SHARD_SIZE = 16;
const WORKERS = 2;

export interface World {
  readonly proxy: TcpProxy;
  readonly redis: () => RedisServer;
  /** Living ones. */
  readonly workers: () => readonly Running[];
  /** Kills Redis and starts it again, with what it had written down or empty. */
  restartRedis(data: 'kept' | 'lost'): Promise<void>;
  /** How things stand, for whoever has to find out why a run does not end. */
  describe(): Promise<readonly string[]>;
  /** Does something after a while, unless the world has ended by then. */
  later(milliseconds: number, act: () => void): void;
  /** Files that were damaged on purpose in the run at hand. */
  readonly damaged: Set<string>;
  /** Whatever was found to be wrong so far. */
  readonly problems: string[];
  close(): Promise<void>;
}

/** What decides the bytes of the parts: the same for the reference and for every run of the chaos. */
export function requestFlags(): readonly string[] {
  return [
    ...['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'onnx', '--deterministic'],
    ...['--batch', '8', '--shard-size', String(SHARD_SIZE), '--format', 'both'],
  ];
}

/** A list of many samples over few images, some of them broken. */
export async function writeSource(folder: string, rows: number): Promise<string> {
  const images = join(folder, 'images');
  await makeDemoImages(images, { perClass: PER_CLASS, seed: 5 });
  const broken = ['arrow/broken-truncated.jpg', 'circle/broken-empty.jpg', 'heart/broken-text.jpg'];
  const lines = Array.from({ length: rows }, (_, row) => {
    const shape = SHAPE_NAMES[row % SHAPE_NAMES.length];
    const whole = `${shape}/${shape}-${String(Math.floor(row / 10) % PER_CLASS).padStart(3, '0')}.jpg`;
    return `s${row},${join(images, row % 97 === 0 ? (broken[row % broken.length] as string) : whole)}`;
  });
  const list = join(folder, 'list.csv');
  await writeFile(list, `sample_id,path\n${lines.join('\n')}\n`);
  return list;
}

export async function openWorld(folder: string, log: (line: string) => void): Promise<World> {
  const data = join(folder, 'redis');
  const startRedis = async (port?: number): Promise<RedisServer> => {
    await mkdir(data, { recursive: true });
    const durable = { folder: data, extraArguments: ['--appendonly', 'yes'] };
    return openOwnRedis(port === undefined ? durable : { ...durable, port });
  };
  let redis = await startRedis();
  const timers = new Set<NodeJS.Timeout>();
  const proxy = await openTcpProxy(redis.port);
  const address = `redis://127.0.0.1:${proxy.port}`;
  const problems: string[] = [];
  const workers = keepWorkers(WORKERS, address, result => {
    if (!isExpectedEnd(result)) problems.push(`a worker ended with ${result.code}: ${lastLines(result)}`);
  });

  return {
    proxy,
    problems,
    redis: () => redis,
    damaged: new Set(),
    workers: () => workers.living(),
    async restartRedis(kept): Promise<void> {
      process.kill(redis.pid, 'SIGKILL');
      await redis.close();
      if (kept === 'lost') await rm(data, { recursive: true });
      redis = await startRedis(redis.port);
      log(`redis is back, its data ${kept}`);
    },
    describe: async () => [
      ...workers
        .living()
        .map(({ pid, output }) => `worker ${pid}: ${output().trim().split('\n').slice(-6).join(' / ')}`),
      ...(await describeRedis(redis.url)),
    ],
    later(milliseconds, act): void {
      const timer = setTimeout(() => {
        timers.delete(timer);
        act();
      }, milliseconds);
      timers.add(timer);
    },
    async close(): Promise<void> {
      for (const timer of timers) clearTimeout(timer);
      proxy.unblock();
      await workers.close();
      await proxy.close();
      await redis.close();
    },
  };
}

async function describeRedis(url: string): Promise<readonly string[]> {
  const client = new Redis(url, { maxRetriesPerRequest: 1, commandTimeout: 5000 }).on('error', () => undefined);
  try {
    const lines: string[] = [];
    for (const key of (await client.keys('bull:*')).sort()) {
      const type = await client.type(key);
      const read: Readonly<Record<string, () => Promise<unknown>>> = {
        list: () => client.lrange(key, 0, 10),
        set: () => client.smembers(key),
        zset: () => client.zrange(key, '0', '10'),
        hash: () => client.hgetall(key),
        string: () => Promise.all([client.get(key), client.pttl(key)]),
      };
      lines.push(`redis ${type} ${key} ${JSON.stringify(await read[type]?.())}`);
    }
    return lines;
  } catch (error) {
    return [`redis does not answer: ${String(error)}`];
  } finally {
    client.disconnect();
  }
}

/** 0 after a signal to stop; 137 and 143 where it was killed, or stopped before it had begun anything. */
function isExpectedEnd({ code }: RunResult): boolean {
  return code === 0 || code === 137 || code === 143;
}

export interface Production {
  /** Undefined between a death and the next start. */
  readonly running: () => Running | undefined;
  /** Resolves when the run is done; rejects after so many starts in a row that ended by themselves without it. */
  readonly done: Promise<void>;
  /** Kills it and starts it no more. */
  stop(): void;
}

/** A producer that waits for its run, started again with the very same command until it ends with 0. */
export function produceUntilDone(world: World, list: string, out: string): Production {
  let running: Running | undefined;
  let last: RunResult | undefined;
  let stopped = false;
  const args = ['enqueue', list, ...requestFlags(), '--out', out, '--wait', '--json'];
  const done = (async (): Promise<void> => {
    for (let refusals = 0; refusals < MOST_REFUSALS; ) {
      running = startProgram('layertap', [...args, '--redis', `redis://127.0.0.1:${world.proxy.port}`]);
      const result = await running.ended;
      running = undefined;
      if (result.code === 0 || stopped) return;
      // It was killed, or could not reach Redis, or found shards that had failed: the user's next call goes on.
      if (result.code < 128) refusals++;
      last = result;
    }
    throw new Error(
      `the producer refused ${MOST_REFUSALS} times, lastly with: ${last === undefined ? '' : lastLines(last)}`,
    );
  })();
  return {
    running: () => running,
    done,
    stop(): void {
      stopped = true;
      running?.kill('SIGKILL');
    },
  };
}

const MOST_REFUSALS = 200;
