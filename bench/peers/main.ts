// npm run bench:peers: the same images through Layertap and what users would take instead, side by side, files written.
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { folderBytes } from '../../setup/src/cache.ts';
import { setupConfig } from '../../setup/src/config.ts';
import { prepareStart } from '../../setup/src/prepare.ts';
import { type PythonPackageSet, type PythonPackages, preparePythonPackages } from '../../setup/src/python-packages.ts';
import { describeError } from '../../shared/src/errors.ts';
import { createLifecycle } from '../../shared/src/lifecycle.ts';
import { describeMachine, type Machine } from '../machine.ts';
import { lastLine, measureProcess, type ProcessPeak } from '../measure-process.ts';
import { CELLS, type Cell } from './cells.ts';
import { prepareImageSet } from './image-sets.ts';
import { type PeerModels, preparePeerModels } from './models.ts';
import { prepareNpmPackages } from './npm-packages.ts';
import { PEERS, type Peer } from './peers.ts';
import { formatPeers } from './report.ts';
import { appendPeerResult, type PeerResult, readPeerResults } from './results.ts';

const HELP = `Layertap beside what users would take instead: whole processes, the same images, files written

Usage: npm run bench:peers -- [options]

  --photos N      images of about 500 x 400 (1000)
  --large N       images of 12 megapixels (200)
  --rounds N      every peer once in each (3)
  --cells LIST    only these: ${CELLS.map(({ key }) => key).join(', ')}
  --peers LIST    only these: ${PEERS.map(({ key }) => key).join(', ')}
  --results FILE  what was measured before and is not measured again (in the cache)
  --report        only the table of what is there
  --help          show this help
`;

const lifecycle = createLifecycle();
await lifecycle.run(async () => {
  const { values } = parseArgs({
    options: {
      photos: { type: 'string', default: '1000' },
      large: { type: 'string', default: '200' },
      rounds: { type: 'string', default: '3' },
      cells: { type: 'string', default: CELLS.map(({ key }) => key).join(',') },
      peers: { type: 'string', default: PEERS.map(({ key }) => key).join(',') },
      results: { type: 'string' },
      report: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const cache = join(setupConfig().installedRoot, 'peers');
  await mkdir(cache, { recursive: true });
  const file = values.results ?? join(cache, `results-${values.photos}-${values.large}.jsonl`);
  const results = await readPeerResults(file);
  const machine = await describeMachine();
  const missing = new Map<string, string>();
  if (!values.report) {
    await measureAll({
      ...{ cache, file, results, machine, missing },
      counts: { photos: Number(values.photos), large: Number(values.large) },
      rounds: Number(values.rounds),
      doneOnce: new Set(),
      cells: CELLS.filter(({ key }) => values.cells.split(',').includes(key)),
      peers: PEERS.filter(({ key }) => values.peers.split(',').includes(key)),
    });
  }
  process.stdout.write(formatPeers({ results, missing, machine, date: new Date().toISOString().slice(0, 10) }));
});

interface Plan {
  readonly cache: string;
  readonly file: string;
  readonly results: PeerResult[];
  readonly machine: Machine;
  readonly missing: Map<string, string>;
  readonly counts: { readonly photos: number; readonly large: number };
  readonly rounds: number;
  readonly cells: readonly Cell[];
  readonly peers: readonly Peer[];
  /** Peers and cells whose `once` has run. */
  readonly doneOnce: Set<string>;
}

interface Prepared {
  readonly python: PythonPackages | undefined;
  readonly npm: string | undefined;
}

async function measureAll(plan: Plan): Promise<void> {
  await prepareStart(say);
  const [keras, interop] = [
    await preparePythonPackages('keras', { log: say }),
    await preparePythonPackages('interop', { log: say }),
  ];
  const models = await preparePeerModels(plan.cache, { keras, interop });
  const prepared = await preparePeers(plan);
  for (let round = 0; round < plan.rounds; round++) {
    for (const cell of plan.cells) {
      const { folder, count } = await prepareImageSet(cell.images, plan.counts[cell.images], plan.cache);
      await readAll(folder);
      // Each round begins with another peer, so that none always has the same place.
      const peers = plan.peers.filter(peer => prepared.has(peer.key) && (peer.takes?.(cell) ?? true));
      for (const peer of [...peers.slice(round % peers.length), ...peers.slice(0, round % peers.length)]) {
        if (plan.results.some(done => done.cell === cell.key && done.peer === peer.key && done.round === round))
          continue;
        lifecycle.stopping.throwIfAborted();
        try {
          await measureOne(plan, { cell, peer, round, folder, count, models, prepared: prepared.get(peer.key) });
        } catch (error) {
          lifecycle.stopping.throwIfAborted();
          plan.missing.set(`${peer.key} on ${cell.key}`, describeError(error).slice(0, 400));
          say(`${cell.key}, ${peer.title}: ${describeError(error).slice(0, 400)}`);
        }
      }
    }
  }
}

/** What cannot be installed is told in the report, and its peers are left out. */
async function preparePeers({ peers, cache, missing }: Plan): Promise<ReadonlyMap<string, Prepared>> {
  const sets = new Map<PythonPackageSet, Promise<PythonPackages>>();
  const prepared = new Map<string, Prepared>();
  for (const peer of peers) {
    try {
      const set = peer.python;
      if (set !== undefined && !sets.has(set)) sets.set(set, preparePythonPackages(set, { log: say }));
      prepared.set(peer.key, {
        python: set === undefined ? undefined : await sets.get(set),
        npm: peer.npm === undefined ? undefined : await prepareNpmPackages(peer.npm, cache),
      });
    } catch (error) {
      missing.set(peer.key, describeError(error).slice(0, 400));
      say(`without ${peer.title}: ${describeError(error).slice(0, 400)}`);
    }
  }
  return prepared;
}

interface Run {
  readonly cell: Cell;
  readonly peer: Peer;
  readonly round: number;
  readonly folder: string;
  readonly count: number;
  readonly models: PeerModels;
  readonly prepared: Prepared | undefined;
}

async function measureOne(plan: Plan, { cell, peer, round, folder, count, models, prepared }: Run): Promise<void> {
  const out = await mkdtemp(join(tmpdir(), 'layertap-peer-'));
  try {
    const { python, npm } = prepared ?? {};
    const task = { cell, folder, out, models, python, npm };
    const once = `${peer.key} ${cell.key}`;
    if (peer.once !== undefined && !plan.doneOnce.has(once)) {
      const { wallSeconds } = await measureProcess({ ...peer.once(task), signal: lifecycle.stopping });
      say(`${cell.key}, ${peer.title}: ${wallSeconds.toFixed(1)} s for what is done once per model on a machine`);
      plan.doneOnce.add(once);
      await rm(out, { recursive: true });
      await mkdir(out);
    }
    const start = peer.start(task);
    const { wallSeconds, stdout, peaks } = await measureProcess({ ...start, signal: lifecycle.stopping });
    const result: PeerResult = {
      ...{ cell: cell.key, peer: peer.key, round, images: count, seconds: wallSeconds },
      bytes: await folderBytes(out),
      peakBytes: peakOf(peaks),
      versions: versionsIn(stdout, count),
      ...{ commit: plan.machine.commit, cpu: plan.machine.cpu, date: new Date().toISOString() },
    };
    plan.results.push(result);
    await appendPeerResult(plan.file, result);
    say(`round ${round + 1}, ${cell.key}, ${peer.title}: ${(count / wallSeconds).toFixed(1)} images/s`);
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

/** A peer says at its end how many rows it wrote; Layertap's own report is for people. */
function versionsIn(stdout: string, count: number): Record<string, string> {
  if (!stdout.trim().endsWith('}')) return {};
  const { rows, versions } = lastLine(stdout) as { rows: number; versions: Record<string, string> };
  if (rows !== count) throw new Error(`Expected ${count} rows but it wrote ${rows}`);
  return versions;
}

/** The largest process of each level at its peak, added up: they need not have been at their peaks at once. */
function peakOf(peaks: readonly ProcessPeak[]): number {
  return peaks.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** All peers find the files in the system's cache, the first one too. */
async function readAll(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    if (name.endsWith('.jpg')) await readFile(join(folder, name));
  }
}

function say(line: string): void {
  process.stderr.write(`[peers] ${line}\n`);
}
