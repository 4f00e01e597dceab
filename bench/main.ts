// npm run bench: images per second of the pipeline, of its engine alone and of a plain Keras script, side by side.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decideEngine } from '../extractor/src/compile/decide-engine.ts';
import { openModel } from '../extractor/src/model.ts';
import { openOwnRedis } from '../setup/src/own-redis.ts';
import { prepareStart } from '../setup/src/prepare.ts';
import { type PythonPackages, preparePythonPackages } from '../setup/src/python-packages.ts';
import type { RedisServer } from '../setup/src/redis-server.ts';
import { describeError, Refusal } from '../shared/src/errors.ts';
import { createLifecycle } from '../shared/src/lifecycle.ts';
import type { Contestant, Measurement } from './contestant.ts';
import { engineAlone, writeProbe } from './contestants/engine-alone.ts';
import { convertToKeras, keras } from './contestants/keras.ts';
import { pipeline } from './contestants/pipeline.ts';
import { pipelineThroughRedis } from './contestants/redis.ts';
import { measureFlow } from './flow.ts';
import { prepareInputs } from './inputs.ts';
import { describeMachine } from './machine.ts';
import { BENCH_HELP, type BenchOptions, parseBenchOptions } from './options.ts';
import { formatResults } from './report.ts';
import { appendResults, type BenchResults, BOUNDED, type ContestantKey, efficiencyOf, type Round } from './results.ts';
import { LARGEST_EFFICIENCY, meanCosts, measureStageCosts, type StageCosts } from './stage-costs.ts';

const lifecycle = createLifecycle();
await lifecycle.run(async () => {
  const options = parseBenchOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(BENCH_HELP);
    return;
  }
  const results = await measure(options);
  process.stdout.write(formatResults(results));
  if (options.out !== undefined) await appendResults(options.out, results);
  requirePlausible(results);
});

/** @throws Refusal where a pipeline beats its bound: then one of the two was measured wrongly. */
function requirePlausible(results: BenchResults): void {
  for (const key of ['pipeline', 'redis'] as const) {
    const efficiency = efficiencyOf(results, key)?.median ?? 0;
    if (efficiency <= LARGEST_EFFICIENCY) continue;
    const message = `Expected ${key} to stay below its bound but it reached ${efficiency.toFixed(2)} of it: wrongly measured`;
    throw new Refusal('bad-option', message, { hint: 'Run it again on a quiet machine, with more images.' });
  }
}

async function measure(options: BenchOptions): Promise<BenchResults> {
  const date = new Date().toISOString();
  const machine = await describeMachine();
  const folder = await mkdtemp(join(tmpdir(), 'layertap-bench-'));
  lifecycle.defer(() => rm(folder, { recursive: true, force: true }));
  await prepareStart(say);
  const python = await findKeras();
  const inputs = await prepareInputs(folder, options.images);
  const { layer, recipe } = inputs;
  const decision = { layers: [layer], recipe, batch: options.batch };
  const { engine, reason } = await decideEngine('auto', await openModel(inputs.model), decision);
  say(`engine ${engine}: ${reason}`);
  const common = { inputs, engine, folder, batch: options.batch, signal: lifecycle.stopping };

  let likeness: BenchResults['likeness'] = null;
  if (python !== undefined) {
    say('rebuilding the model in Keras and comparing the features of both sides');
    const probe = join(folder, 'probe');
    await writeProbe(common, probe);
    likeness = await convertToKeras({ ...common, python }, probe);
  }
  const redis = await openRedis();
  const contestants: Partial<Record<ContestantKey, Contestant>> = {
    pipeline: pipeline({ ...common, extractFlags: options.extractFlags }),
    ...(redis && { redis: pipelineThroughRedis({ ...common, redis: redis.url }) }),
    engine: engineAlone(common),
    ...(python && { keras: keras({ ...common, python }) }),
  };
  const rounds: Round[] = [];
  const measureCosts = (): Promise<StageCosts> => measureStageCosts(common);
  for (let round = 0; round < options.rounds; round++) {
    rounds.push(await runRound(contestants, measureCosts, round, options.rounds));
  }
  return {
    version: 1,
    date,
    machine,
    images: { count: inputs.images.length, name: inputs.names.images },
    model: { name: inputs.names.model, layer: inputs.layer, engine },
    batch: options.batch,
    extractFlags: options.extractFlags,
    names: Object.fromEntries(Object.entries(contestants).map(([key, { name }]) => [key, name])),
    rounds,
    likeness,
    flow: options.flowRows === 0 ? null : await runFlow(options.flowRows, folder),
  };
}

/** Every contestant once; each round begins with another one, so that none always has the same place. */
async function runRound(
  contestants: Partial<Record<ContestantKey, Contestant>>,
  measureCosts: () => Promise<StageCosts>,
  round: number,
  rounds: number,
): Promise<Round> {
  const entries = Object.entries(contestants) as [ContestantKey, Contestant][];
  const first = round % entries.length;
  const measured: Partial<Record<ContestantKey, Measurement>> = {};
  /** Of the stages, unless something else has run since. */
  let costs: StageCosts | undefined;
  for (const [key, contestant] of [...entries.slice(first), ...entries.slice(0, first)]) {
    const isBounded = BOUNDED.some(bounded => bounded === key);
    const before = isBounded ? (costs ?? (await measureCosts())) : undefined;
    const measurement = await contestant.run();
    // A machine changes its speed within minutes: the bound is that of the moments before and after.
    costs = isBounded ? await measureCosts() : undefined;
    measured[key] = { ...measurement, ...(before && costs && { costs: meanCosts(before, costs) }) };
    say(`round ${round + 1} of ${rounds}: ${contestant.name}, ${measurement.steady.toFixed(1)} images/s`);
  }
  return measured;
}

async function runFlow(rows: number, folder: string): Promise<BenchResults['flow']> {
  say(`the flow alone, ${rows} lines`);
  return measureFlow(rows, folder, lifecycle.stopping);
}

/** Without a Redis the rest is still worth measuring. */
async function openRedis(): Promise<RedisServer | undefined> {
  try {
    const server = await openOwnRedis({ log: say });
    lifecycle.defer(() => server.close());
    return server;
  } catch (error) {
    say(`no run through Redis: ${describeError(error)}`);
    return undefined;
  }
}

/** Without Keras the rest is still worth measuring. */
async function findKeras(): Promise<PythonPackages | undefined> {
  try {
    return await preparePythonPackages('keras', { log: say });
  } catch (error) {
    say(`no comparison with Keras: ${describeError(error)}`);
    return undefined;
  }
}

function say(line: string): void {
  process.stderr.write(`[bench] ${line}\n`);
}
