// The engine process: holds the warmed extractors of one request and works through the shards that its parent sends.
// Its death is an event for the parent, not an outage: everything it holds can be made again.
import { hostname } from 'node:os';
import { takeCacheNote } from '../../../setup/src/made-cache.ts';
import { allowedRoots } from '../../../shared/src/allowed-roots.ts';
import { describeError, Refusal, type RefusalCode } from '../../../shared/src/errors.ts';
import { explainWarning, WARNING_CODES } from '../../../shared/src/feature-warnings.ts';
import type { ShardJob } from '../../../shared/src/job.ts';
import { engineWarnings, modelsOf, readsImages } from '../../../shared/src/request.ts';
import { type RunRecord, readReceipt, shardRange } from '../../../shared/src/run.ts';
import type { Storage } from '../../../shared/src/storage.ts';
import { commonVersions, cpuName } from '../../../shared/src/versions.ts';
import { requireAllowed } from './allowed-run.ts';
import { openBatchBuffers } from './batch-buffers.ts';
import { type DecodePool, openDecodePool } from './decode-pool.ts';
import { keepConditions } from './deterministic.ts';
import { EngineProcessOptions, engineThreads } from './engine-process-options.ts';
import { type HeldExtractor, openExtractorHolder } from './extractor-holder.ts';
import { probeRows } from './probe-rows.ts';
import { processShard } from './process-shard.ts';
import { quarantineImage, readQuarantine } from './quarantine.ts';
import type { ColumnWarnings } from './range-check.ts';
import { type DecodedBatch, readShard } from './read.ts';
import { createRunHolder, type OpenedRun } from './run-holder.ts';
import { ThreadDeath } from './thread-pool.ts';
import type {
  EngineMessage,
  FailureKind,
  ParentMessage,
  ProbeMessage,
  QuarantineMessage,
  ShardMessage,
  WorkMessage,
} from './worker-messages.ts';

interface OpenedShard extends OpenedRun {
  readonly batches: AsyncGenerator<DecodedBatch>;
}

const options = EngineProcessOptions.parse(JSON.parse(process.argv[2] ?? '{}'));
const holder = openExtractorHolder({
  threadsOf: request => engineThreads(options, request),
  halvings: Number(process.argv[3] ?? 0),
  onWarning: message => send({ type: 'log', level: 'warn', message }),
});
const allowed = allowedRoots(options.allowRoots);
const aborts = new Map<string, AbortController>();
const buffers = openBatchBuffers();
let pool: Promise<DecodePool> | undefined;
const runs = createRunHolder(allowed);
let loadsTold = 0;
/** Fingerprint, column and code of what was warned of: the receipts count, the log says it once. */
const warningsTold = new Set<string>();
/** Inference is one at a time: each task starts when the one before has ended. */
let turn: Promise<unknown> = Promise.resolve();

process.on('message', (message: ParentMessage) => {
  if (message.type === 'warm') inTurn(() => warm(message.job));
  else if (message.type === 'shard') takeShard(message);
  else if (message.type === 'probe') takeProbe(message);
  else if (message.type === 'quarantine') answer(message, () => quarantine(message));
  else if (message.type === 'abort') aborts.get(message.key)?.abort(new Error('The shard was taken back'));
  else inTurn(close);
});
// A terminal sends Ctrl-C to the whole group: the parent decides what it means.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
// Without a parent nobody holds the locks of these shards.
process.on('disconnect', () => process.exit(1));
send({ type: 'ready' });

function inTurn(task: () => Promise<void>): void {
  turn = turn.then(task, task);
}

async function warm(job: ShardJob): Promise<void> {
  try {
    const { run, storage } = await runs.open(job);
    // The threads start beside the model. Whoever takes a shard hears of their failure.
    poolFor(run)?.catch(() => undefined);
    const { seconds, loads } = await extractorFor(run, storage);
    send({ type: 'warmed', fingerprint: run.fingerprint, seconds, loads, residentBytes: process.memoryUsage.rss() });
  } catch (error) {
    send({ type: 'warm-failed', error: describeError(error) });
  }
}

/** Reading and decoding start at once, so that they overlap the inference of the shard before. */
function takeShard(message: ShardMessage): void {
  const abort = new AbortController();
  aborts.set(message.key, abort);
  const opened = openShard(message.job, abort.signal);
  opened.catch(() => undefined);
  answer(message, async () => workOn(message, await opened, abort.signal));
}

/** Alone in this process: there is nothing to overlap. */
function takeProbe(message: ProbeMessage): void {
  const abort = new AbortController();
  aborts.set(message.key, abort);
  answer(message, async () => probe(message, await openShard(message.job, abort.signal, message.rows), abort.signal));
}

function answer({ key }: WorkMessage, task: () => Promise<unknown>): void {
  inTurn(async () => {
    try {
      const receipt = await task();
      send({ type: 'done', key, receipt, residentBytes: process.memoryUsage.rss() });
    } catch (error) {
      send({ type: 'failed', key, kind: failureKind(error), message: describeError(error) });
    } finally {
      aborts.delete(key);
    }
  });
}

async function openShard(job: ShardJob, signal: AbortSignal, only?: readonly number[]): Promise<OpenedShard> {
  const opened = await runs.open(job);
  const { shard } = job;
  const quarantined = await readQuarantine(opened.storage, opened.run, shard);
  const pool = await poolFor(opened.run);
  const { takeTurns } = options;
  const batches = readShard({ ...opened, shard, pool, buffers, signal, takeTurns, quarantined, ...(only && { only }) });
  return { ...opened, batches };
}

async function probe({ job, attempt }: ProbeMessage, opened: OpenedShard, signal: AbortSignal): Promise<void> {
  const { run, storage, batches } = opened;
  const { out, runId, shard } = job;
  try {
    const { extractors } = await extractorFor(run, storage);
    send({ type: 'begun', batch: run.request.batch });
    const nothing = { rows: 0, failed: 0, seconds: {} };
    const onBatch = (): void => send({ type: 'progress', out, runId, shard, attempt, ...nothing });
    await probeRows({ batches, extractors, signal, onBatch });
  } finally {
    await batches.return(undefined);
  }
}

async function quarantine({ job, row, death }: QuarantineMessage): Promise<void> {
  const { storage, run, manifest } = await runs.open(job);
  const { value: sample } = await manifest.read(shardRange(run, job.shard).first + row, 1).next();
  if (sample === undefined) throw new Error(`Expected a row ${row} in shard ${job.shard} but there is none`);
  await requireAllowed(allowed, 'the image', sample.uri);
  send({ type: 'begun', batch: 1 });
  const folder = await quarantineImage(storage, run, { shard: job.shard, row, sample, death });
  const message = `'${sample.sampleId}' kills the engine process (it ${death}): its row fails as crashed-worker`;
  send({
    type: 'log',
    level: 'warn',
    message: `${message}; a copy and how to reproduce it: ${storage.root}/${folder}`,
  });
}

/** The null engine looks at no image. */
function poolFor({ request }: RunRecord): Promise<DecodePool> | undefined {
  if (readsImages(request)) pool ??= openDecodePool({ threads: options.decodeThreads, allowRoots: options.allowRoots });
  return pool;
}

async function workOn(message: ShardMessage, opened: OpenedShard, signal: AbortSignal): Promise<unknown> {
  const { run, storage, batches } = opened;
  const { out, runId, shard } = message.job;
  const { attempt } = message;
  try {
    signal.throwIfAborted();
    // A job that was queued twice, or taken again after a lost lock, finds its work done.
    const standing = await readReceipt(storage, run, shard);
    if (standing !== undefined) return standing;
    const { extractors, versions: engineVersions } = await extractorFor(run, storage);
    // What can change a feature's last bits: layertap, Node, the decoders, the engine.
    const versions = { ...commonVersions(), ...(await versionsOfDecoders(run)), ...engineVersions };
    if (run.request.deterministic)
      await keepConditions(storage, { cpu: cpuName(), threads: engineThreads(options, run.request), versions });
    send({ type: 'begun', batch: run.request.batch });
    return await processShard({
      run,
      shard,
      attempt,
      batches,
      extractors,
      storage,
      worker: { host: hostname(), name: options.name, pid: process.pid, peakBytes: peakBytes() },
      versions,
      signal,
      onWarnings: warnings => tellWarnings(run, warnings),
      onBatch: (rows, failed, seconds) => send({ type: 'progress', out, runId, shard, attempt, rows, failed, seconds }),
    });
  } finally {
    await batches.return(undefined);
  }
}

function tellWarnings(run: RunRecord, warnings: readonly ColumnWarnings[]): void {
  for (const { column, counts } of warnings) {
    for (const code of WARNING_CODES) {
      const key = JSON.stringify([run.fingerprint, column, code]);
      if (counts[code] === undefined || warningsTold.has(key)) continue;
      warningsTold.add(key);
      send({ type: 'log', level: 'warn', message: `column '${column}' has ${explainWarning(code)}` });
    }
  }
}

/** Largest resident memory of this process so far. */
function peakBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** The null engine looks at no image: it needs no decoder. */
async function versionsOfDecoders(run: RunRecord): Promise<Readonly<Record<string, string>>> {
  if (!readsImages(run.request)) return {};
  return (await import('../../../extractor/src/preprocess/decode.ts')).decoderVersions();
}

/** Tells of each load: once per request, if all goes well. */
async function extractorFor(run: RunRecord, storage: Storage): Promise<HeldExtractor> {
  const held = await holder.extractorFor(run, storage);
  if (held.loads !== loadsTold) {
    loadsTold = held.loads;
    const models = modelsOf(run.request);
    const engines = [...new Set(models.map(({ engine }) => engine))].join(' and ');
    const fields = { loads: held.loads, seconds: held.seconds, fingerprint: run.fingerprint, pid: process.pid };
    send({
      type: 'log',
      level: 'debug',
      message: `loaded ${models.map(({ model }) => model).join(' and ')} on ${engines}`,
      fields,
    });
    // What a user waits for: the process' start, the libraries, the model and a first batch of zeros.
    const message = `${engines} ${engines.includes(' ') ? 'are' : 'is'} ready for the first batch, ${process.uptime().toFixed(1)} s after its process began`;
    const { user, system } = process.cpuUsage();
    const cost = [`${((user + system) / 1e6).toFixed(2)} s of processor time`, ...held.origins].join('; ');
    send({ type: 'log', level: 'info', message: `${message} (${cost})` });
    for (const warning of engineWarnings(run.request)) tellOnce(warning);
    tellOnce(takeCacheNote());
  }
  return held;
}

/** The parent tells what several of its processes say only once. */
function tellOnce(message: string | undefined): void {
  if (message !== undefined) send({ type: 'log', level: 'warn', message, once: true });
}

/** What this machine lacks and another may have: an engine, the model's bytes, the folders of the run. */
const ELSEWHERE: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  'engine-unavailable',
  'conditions-differ',
  'model-unreadable',
  'model-mismatch',
  'run-missing',
  'source-unreadable',
  'cache-unwritable',
]);

function failureKind(error: unknown): FailureKind {
  if (error instanceof ThreadDeath) return 'crashed';
  if (!(error instanceof Refusal)) return 'retry';
  if (ELSEWHERE.has(error.code)) return 'declined';
  return error.code === 'output-unwritable' ? 'retry' : 'refused';
}

async function close(): Promise<void> {
  await holder.close();
  await (await pool)?.close();
  process.disconnect();
  process.exit(0);
}

function send(message: EngineMessage): void {
  if (process.connected) process.send?.(message);
}
