// The soak: one run with a real small model and many shards, and how the memory of its processes grows with them. For soak-main.ts.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { makeDemoImages } from '../../demo/src/images.ts';
import { engineProcessesOf, residentMegabytes } from '../support/processes.ts';
import { lastLines, startProgram } from '../support/programs.ts';

const DEMO_MODEL = fileURLToPath(new URL('../../demo/model/model.json', import.meta.url));
const SHARD_SIZE = 8;
/** Far more than any machine does in the time: the run is stopped. */
const ROWS = 2_000_000;
/** Share of the time in which libraries, caches and heaps find their size. */
const SETTLING = 0.25;

export interface SoakReport {
  readonly shards: number;
  readonly seconds: number;
  readonly parent: Growth;
  /** Of the engine process that grew most. */
  readonly engine: Growth;
  readonly problems: readonly string[];
}

export interface Growth {
  readonly firstMegabytes: number;
  readonly lastMegabytes: number;
  /** Slope of a straight line through all samples after the settling. */
  readonly megabytesPerThousandShards: number;
}

interface Sample {
  readonly shards: number;
  readonly megabytes: number;
}

export async function runSoak(options: {
  readonly seconds: number;
  readonly signal?: AbortSignal;
  readonly log?: (line: string) => void;
}): Promise<SoakReport> {
  const { seconds, signal, log = () => undefined } = options;
  const folder = await mkdtemp(join(tmpdir(), 'layertap-soak-'));
  try {
    const images = join(folder, 'images');
    await makeDemoImages(images, { perClass: 20, seed: 5 });
    const files = (await readdir(images, { recursive: true })).filter(name => name.endsWith('.jpg'));
    const list = join(folder, 'list.csv');
    const lines = Array.from(
      { length: ROWS },
      (_, row) => `s${row},${join(images, files[row % files.length] as string)}`,
    );
    await writeFile(list, `sample_id,path\n${lines.join('\n')}\n`);
    const out = join(folder, 'out');
    const request = ['--model', DEMO_MODEL, '--layer', 'features', '--engine', 'onnx', '--batch', String(SHARD_SIZE)];
    const run = startProgram('layertap', [
      ...[
        'extract',
        list,
        ...request,
        '--shard-size',
        String(SHARD_SIZE),
        '--out',
        out,
        '--max-output',
        'none',
        '--json',
      ],
    ]);
    let hasEnded = false;
    void run.ended.then(() => {
      hasEnded = true;
    });
    const parent: Sample[] = [];
    const engines = new Map<number, Sample[]>();
    while (!hasEnded && engineProcessesOf(run.pid).length === 0) await pause(100);
    const started = performance.now();
    const elapsed = (): number => (performance.now() - started) / 1000;
    for (let told = 0; !hasEnded && elapsed() < seconds && signal?.aborted !== true; ) {
      await pause(1000);
      const shards = await doneShards(out);
      take(parent, shards, run.pid);
      for (const pid of engineProcessesOf(run.pid)) {
        const samples = engines.get(pid) ?? [];
        engines.set(pid, samples);
        take(samples, shards, pid);
      }
      if (elapsed() - told < 60) continue;
      told = elapsed();
      log(`${shards} shards, parent ${parent.at(-1)?.megabytes.toFixed(0)} MB`);
    }
    const time = elapsed();
    const problems = hasEnded ? [`the run ended by itself: ${lastLines(await run.ended)}`] : [];
    run.kill('SIGINT');
    await run.ended;
    const grown = [...engines.values()].map(growthOf);
    grown.sort((a, b) => b.megabytesPerThousandShards - a.megabytesPerThousandShards);
    const [engine] = grown;
    if (engine === undefined) throw new Error('Expected an engine process but saw none');
    return { shards: await doneShards(out), seconds: time, parent: growthOf(parent), engine, problems };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Folders of receipts hold a thousand each: only the last one is counted. */
async function doneShards(out: string): Promise<number> {
  const folders = (await readdir(join(out, 'receipts')).catch(() => [])).sort();
  const last = folders.at(-1);
  if (last === undefined) return 0;
  const names = await readdir(join(out, 'receipts', last)).catch(() => []);
  return (folders.length - 1) * 1000 + names.length;
}

function take(samples: Sample[], shards: number, pid: number): void {
  const megabytes = residentMegabytes(pid);
  if (megabytes !== undefined) samples.push({ shards, megabytes });
}

function growthOf(samples: readonly Sample[]): Growth {
  const settled = samples.slice(Math.floor(samples.length * SETTLING));
  const mean = (of: (sample: Sample) => number): number => settled.reduce((sum, s) => sum + of(s), 0) / settled.length;
  const [x, y] = [mean(({ shards }) => shards), mean(({ megabytes }) => megabytes)];
  const covariance = settled.reduce((sum, { shards, megabytes }) => sum + (shards - x) * (megabytes - y), 0);
  const variance = settled.reduce((sum, { shards }) => sum + (shards - x) ** 2, 0);
  return {
    firstMegabytes: settled[0]?.megabytes ?? Number.NaN,
    lastMegabytes: settled.at(-1)?.megabytes ?? Number.NaN,
    megabytesPerThousandShards: (1000 * covariance) / variance,
  };
}
