// A process of the fuzz: opens or loads each model that it is sent, until it is killed: as a user's process does, or with
// an engine, as the engine's process does. Started by fuzz-child.ts.
import { type Engine, openEngine } from '../../../extractor/src/engine.ts';
import { loadLayersModel } from '../../../extractor/src/load-layers-model.ts';
import { openModel } from '../../../extractor/src/model.ts';
import { tfjs } from '../../../extractor/src/tfjs.ts';
import { describeError, Refusal, type RefusalCode } from '../../../shared/src/errors.ts';
import type { EngineName } from '../../../shared/src/request.ts';
import type { FuzzAnswer, FuzzStarted } from '../../support/fuzz-child.ts';
import { useCpu } from '../small-model.ts';

export interface FuzzTask {
  readonly path: string;
  /** Whether the model is loaded, not only opened. */
  readonly loads: boolean;
}

export interface ModelAnswer extends FuzzAnswer {
  readonly outcome: 'refused' | 'opened' | 'loaded' | 'failed';
}

type Ending = Pick<ModelAnswer, 'outcome' | 'message'>;

const OPENING: readonly RefusalCode[] = ['model-unreadable'];
const LOADING: readonly RefusalCode[] = ['model-unreadable', 'recipe-mismatch', 'unknown-layer'];

/** For axes that the model leaves open. */
const OPEN_AXES = [10, 8, 3];

const [engineName = ''] = process.argv.slice(2);
const engine = engineName === '' ? undefined : await openEngine(engineName as EngineName, { threads: 1 });
if (engine === undefined) await useCpu();

process.on('message', task => void answer(task as FuzzTask));
process.once('disconnect', () => process.exit(1));
send({ startedWithMb: peakMb() });

async function answer({ path, loads }: FuzzTask): Promise<void> {
  const [started, startedWith] = [performance.now(), process.cpuUsage()];
  const ending = await (loads ? load(path) : open(path)).catch(error => endingOf(error, loads));
  const { user, system } = process.cpuUsage(startedWith);
  send({ ...ending, ms: performance.now() - started, processorMs: (user + system) / 1000, peakMb: peakMb() });
}

async function open(path: string): Promise<Ending> {
  await openModel(path);
  return { outcome: 'opened', message: '' };
}

/** As the five ways do without an engine, else as a run does. Whatever comes of it, nothing stays in memory. */
async function load(path: string): Promise<Ending> {
  if (engine !== undefined) {
    await run(engine, path);
    return { outcome: 'loaded', message: '' };
  }
  const before = tfjs().memory().numTensors;
  const loading = loadLayersModel(path).then(model => void model.dispose());
  await loading.catch(() => undefined);
  const left = tfjs().memory().numTensors - before;
  if (left > 0) return { outcome: 'failed', message: `${left} tensors are left in memory` };
  await loading;
  return { outcome: 'loaded', message: '' };
}

async function run(opened: Engine, path: string): Promise<void> {
  const { table } = await openModel(path);
  const inputShape = table.inputShape.map((size, axis) => size ?? OPEN_AXES[axis] ?? 1);
  const last = table.layers.findLast(layer => layer.unsupported === undefined && layer.className !== 'Input');
  const extractor = await opened.load({ model: path, layers: last === undefined ? [] : [last.name], inputShape });
  await extractor.warmUp(2);
  await extractor.close();
}

function endingOf(error: unknown, loads: boolean): Ending {
  const isExpected = error instanceof Refusal && (loads ? LOADING : OPENING).includes(error.code);
  if (isExpected) return { outcome: 'refused', message: error.message };
  const kind = error instanceof Refusal ? `the refusal '${error.code}'` : 'another error than a refusal';
  return { outcome: 'failed', message: `${kind}: ${describeError(error)}` };
}

function peakMb(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024);
}

function send(message: FuzzStarted | ModelAnswer): void {
  process.send?.(message);
}
