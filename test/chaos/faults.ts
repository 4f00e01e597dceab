// What the chaos does to the world, one fault each. A new fault is a line here.
import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { doneShards, findRun, readReceipt } from '../../shared/src/run.ts';
import { openFileStorage } from '../../shared/src/storages/file.ts';
import { flipBitOf } from '../support/flip-bit.ts';
import { engineProcessesOf } from '../support/processes.ts';
import type { Production, World } from './world.ts';

export interface FaultContext {
  readonly world: World;
  /** Directory of the run at hand. */
  readonly out: string;
  readonly production: Production;
  /** 0 to 1. */
  readonly random: () => number;
}

export type Fault = (context: FaultContext) => Promise<void> | void;

export const FAULTS = {
  'kill an engine process': ({ world, random }) => killEngine(world, random, 'SIGKILL'),
  'crash an engine process': ({ world, random }) => killEngine(world, random, 'SIGSEGV'),
  'kill a worker': ({ world, random }) => pick(world.workers(), random)?.kill('SIGKILL'),
  'stop a worker': ({ world, random }) => pick(world.workers(), random)?.kill('SIGTERM'),
  'freeze a worker': async ({ world, random }) => {
    const worker = pick(world.workers(), random);
    worker?.kill('SIGSTOP');
    await pause(500 + 3000 * random());
    worker?.kill('SIGCONT');
  },
  'kill the producer': ({ production }) => production.running()?.kill('SIGKILL'),
  'flush Redis': async ({ world }) => {
    const client = new Redis(world.redis().url);
    await client.flushall();
    client.disconnect();
  },
  'kill Redis': ({ world }) => world.restartRedis('kept'),
  'kill Redis and its data': ({ world }) => world.restartRedis('lost'),
  'freeze Redis': async ({ world, random }) => {
    const { pid } = world.redis();
    process.kill(pid, 'SIGSTOP');
    await pause(300 + 2000 * random());
    process.kill(pid, 'SIGCONT');
  },
  'pull the cable': async ({ world, random }) => {
    world.proxy.block();
    await pause(300 + 4000 * random());
    world.proxy.unblock();
  },
  'drop all connections': ({ world }) => world.proxy.cut(),
  'damage a part': damagePart,
  // These go on while others come.
  'freeze a worker beyond its locks': ({ world, random }) => {
    const worker = pick(world.workers(), random);
    worker?.kill('SIGSTOP');
    world.later(BEYOND_LOCKS_MS, () => worker?.kill('SIGCONT'));
  },
  'freeze Redis beyond the locks': ({ world }) => {
    const { pid } = world.redis();
    killIfThere(pid, 'SIGSTOP');
    world.later(BEYOND_LOCKS_MS, () => killIfThere(pid, 'SIGCONT'));
  },
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultName = keyof typeof FAULTS;

/** A lock lasts 30 s. */
const BEYOND_LOCKS_MS = 36_000;

/** Too long for a minute of chaos. */
export const LONG_FAULTS: ReadonlySet<FaultName> = new Set<FaultName>([
  'freeze a worker beyond its locks',
  'freeze Redis beyond the locks',
]);

/** Of a shard that is done: its receipt stands, and only whoever looks finds that the file is not what it was. */
async function damagePart({ world, out, random }: FaultContext): Promise<void> {
  const storage = openFileStorage(out);
  const run = await findRun(storage);
  const shard = run && pick(await doneShards(storage, run), random);
  const file = run && shard !== undefined && pick((await readReceipt(storage, run, shard))?.files ?? [], random);
  if (!file) return;
  world.damaged.add(file.path);
  const path = join(out, file.path);
  const way = Math.floor(3 * random());
  if (way === 0) await rm(path, { force: true });
  else if (way === 1) await truncate(path, Math.floor(file.bytes * random()));
  else await flipBitOf(path, Math.floor(file.bytes * random()));
}

function killEngine(world: World, random: () => number, signal: NodeJS.Signals): void {
  const engines = world.workers().flatMap(({ pid }) => engineProcessesOf(pid));
  const engine = pick(engines, random);
  if (engine !== undefined) killIfThere(engine, signal);
}

function killIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself in the meantime.
  }
}

function pick<T>(list: readonly T[], random: () => number): T | undefined {
  return list[Math.floor(random() * list.length)];
}
