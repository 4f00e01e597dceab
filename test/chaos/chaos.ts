// The chaos: random faults against runs through Redis until the time is over, then calm, and proof that nothing is lost: every
// run ends, `verify` finds nothing, and every part equals that of an undisturbed run to the last byte.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openRun, readReceipts } from '../../shared/src/run.ts';
import { openFileStorage } from '../../shared/src/storages/file.ts';
import { randomOf } from '../support/damage.ts';
import { lastLines, startProgram } from '../support/programs.ts';
import { FAULTS, type FaultName, LONG_FAULTS } from './faults.ts';
import { openWorld, type Production, produceUntilDone, requestFlags, type World, writeSource } from './world.ts';

export interface ChaosOptions {
  readonly seconds: number;
  /** Decides which faults come and for how long; when they hit is up to the machine. */
  readonly seed: number;
  /** Images of each run. @default 1600 */
  readonly rows?: number;
  /** @default all, in less than two minutes those that are short */
  readonly faults?: readonly FaultName[];
  readonly log?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface ChaosReport {
  /** Runs that were begun; all of them ended. */
  runs: number;
  shards: number;
  readonly faults: Partial<Record<FaultName, number>>;
  /** Anything that must not be, in words; empty is what everybody hopes for. */
  readonly problems: readonly string[];
}

/** In which a run must end once nothing disturbs it any more: locks of dead workers take 30 s, their retries some more. */
const CALM_SECONDS = 240;
const ROWS = 1600;

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { seconds, seed, rows = ROWS, log = () => undefined, signal } = options;
  const names =
    options.faults ?? (Object.keys(FAULTS) as FaultName[]).filter(name => seconds >= 120 || !LONG_FAULTS.has(name));
  const folder = await mkdtemp(join(tmpdir(), 'layertap-chaos-'));
  const list = await writeSource(folder, rows);
  const reference = await referenceParts(list, join(folder, 'reference'));
  log(`${reference.size} shards in an undisturbed run`);
  const world = await openWorld(folder, log);
  const report: ChaosReport = { runs: 0, shards: 0, faults: {}, problems: world.problems };
  const random = randomOf(seed);
  const end = performance.now() + 1000 * seconds;
  try {
    while (performance.now() < end && world.problems.length === 0 && signal?.aborted !== true) {
      const out = join(folder, `run-${++report.runs}`);
      await disturbRun({ world, list, out, names, random, end, report, log });
      await checkRun(world, out, reference);
      report.shards += reference.size;
      log(`run ${report.runs} is whole`);
      await rm(out, { recursive: true });
    }
  } catch (error) {
    world.problems.push(error instanceof Error ? error.message : String(error));
  } finally {
    await world.close();
  }
  if (report.problems.length === 0) await rm(folder, { recursive: true, force: true });
  else log(`left for you to look at: ${folder}`);
  return report;
}

interface Disturbance {
  readonly world: World;
  readonly list: string;
  readonly out: string;
  readonly names: readonly FaultName[];
  readonly random: () => number;
  /** Of the faults, on the clock of `performance`. */
  readonly end: number;
  readonly report: ChaosReport;
  readonly log: (line: string) => void;
}

async function disturbRun(disturbance: Disturbance): Promise<void> {
  const production = produceUntilDone(disturbance.world, disturbance.list, disturbance.out);
  try {
    await disturb(production, disturbance);
  } finally {
    production.stop();
  }
}

async function disturb(production: Production, disturbance: Disturbance): Promise<void> {
  const { world, out, names, random, end, report, log } = disturbance;
  let isDone = false;
  const done = production.done.finally(() => {
    isDone = true;
  });
  done.catch(() => undefined);
  while (!isDone && performance.now() < end) {
    await Promise.race([pause(200 + 1500 * random()), done.catch(() => undefined)]);
    if (isDone) break;
    const name = names[Math.floor(random() * names.length)] as FaultName;
    log(name);
    report.faults[name] = (report.faults[name] ?? 0) + 1;
    await FAULTS[name]({ world, out, production, random });
  }
  const late = pause(1000 * CALM_SECONDS, 'late' as const, { ref: false });
  if ((await Promise.race([done, late])) === 'late') {
    for (const line of await world.describe()) log(line);
    log(`producer: ${production.running()?.output().trim().split('\n').slice(-6).join(' / ') ?? 'none'}`);
    throw new Error(`the run in ${out} did not end within ${CALM_SECONDS} s of calm`);
  }
}

type Parts = ReadonlyMap<number, readonly string[]>;

/** What was damaged on purpose is found, and nothing else; then `resume` does these shards again. */
async function mendRun(world: World, out: string): Promise<void> {
  const verified = await startProgram('layertap', ['verify', out, '--json']).ended;
  const { damages } = JSON.parse(verified.stdout) as { readonly damages: readonly { readonly file: string }[] };
  const others = damages.filter(({ file }) => !world.damaged.has(file));
  if (others.length > 0) world.problems.push(`damage that nobody did: ${JSON.stringify(others)}`);
  world.damaged.clear();
  const mended = await startProgram('layertap', ['resume', out, '--verify', ...ALONE]).ended;
  if (mended.code !== 0) world.problems.push(`resume --verify of ${out}: ${lastLines(mended)}`);
}

/** As the workers: what decides the last bits of a deterministic run. */
const ALONE = ['--processes', '1', '--threads', '1'];

async function referenceParts(list: string, out: string): Promise<Parts> {
  const args = ['extract', list, ...requestFlags(), '--out', out, ...ALONE];
  const result = await startProgram('layertap', args).ended;
  if (result.code !== 0) throw new Error(`the undisturbed run ended with ${result.code}: ${lastLines(result)}`);
  return partsOf(out);
}

/** Path and digest of each shard's parts; paths carry the digest's beginning. */
async function partsOf(out: string): Promise<Parts> {
  const storage = openFileStorage(out);
  const parts = new Map<number, readonly string[]>();
  for await (const { shard, files } of readReceipts(storage, await openRun(storage))) {
    parts.set(
      shard,
      files.map(({ path, sha256 }) => `${path} ${sha256}`),
    );
  }
  return parts;
}

async function checkRun(world: World, out: string, reference: Parts): Promise<void> {
  if (world.damaged.size > 0) await mendRun(world, out);
  const verified = await startProgram('layertap', ['verify', out]).ended;
  if (verified.code !== 0) world.problems.push(`verify of ${out}: ${lastLines(verified)}`);
  const parts = await partsOf(out);
  for (const [shard, expected] of reference) {
    const received = parts.get(shard)?.join(', ');
    if (received !== expected.join(', ')) {
      world.problems.push(
        `shard ${shard} of ${out} has ${received ?? 'no parts'}, undisturbed it has ${expected.join(', ')}`,
      );
    }
  }
}
