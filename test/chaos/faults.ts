// What the chaos does to the world, one fault each. A new fault is a line here.
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { engineProcessesOf } from '../support/processes.ts';
import type { Running } from '../support/programs.ts';
import type { Production, World } from './world.ts';

export interface FaultContext {
  readonly world: World;
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
  'kill Redis with its data': ({ world }) => world.restartRedis(),
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
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultName = keyof typeof FAULTS;

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

function pick<T extends Running | number>(list: readonly T[], random: () => number): T | undefined {
  return list[Math.floor(random() * list.length)];
}
