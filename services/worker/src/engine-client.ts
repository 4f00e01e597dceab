// The parent's handle on one engine process: sends it shards, survives its death. For consumer.ts.
import { setTimeout as sleep } from 'node:timers/promises';
import { formatBytes } from '../../../shared/src/byte-size.ts';
import { jobIdOf, type ShardJob } from '../../../shared/src/job.ts';
import type { Logger } from '../../../shared/src/logger.ts';
import { EngineDeath, EngineFailure } from './engine-errors.ts';
import { type EngineProcess, forkEngine } from './engine-fork.ts';
import { createStallWatch } from './stall-watch.ts';
import type { EngineMessage, ShardProgress, WarmedMessage, WorkMessage } from './worker-messages.ts';

export interface EngineClientOptions {
  /** The module that the process runs: engine-process, or a double of it in tests. */
  readonly script: URL;
  /**
   * Arguments of that module: its own options as JSON. Behind them stands the number of processes that were killed before,
   * once there are any. @default none
   */
  readonly args?: readonly string[];
  /** The whole environment of the process. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Node's own arguments, such as a TypeScript loader. @default none */
  readonly execArgv?: readonly string[];
  readonly logger: Logger;
  /** What need not be told again, shared by all processes of a worker. @default everything is told */
  readonly told?: Set<string>;
  /** Bound of the process' JavaScript heap; tensors live outside of it. @default Node's own */
  readonly maxHeapMb?: number;
  /** Pause before the second start in a row without a shard done between; doubles up to 30 s. @default 1000 */
  readonly restartDelayMs?: number;
  /** Longest time without progress for 32 images of a batch; then the process is killed. @default 600_000 */
  readonly stallMs?: number;
  /** A process that holds more after a shard is replaced once its shards in hand are done. @default any amount */
  readonly maxResidentBytes?: number | undefined;
}

export interface ProcessOptions {
  readonly attempt: number;
  /** Asks the process to stop that shard; the promise still waits for its answer. */
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: ShardProgress) => void;
}

export type Warmed = Pick<WarmedMessage, 'fingerprint' | 'seconds' | 'loads' | 'residentBytes'>;

export interface EngineClient {
  /** Loads and warms the extractor of that job's run. */
  warm(job: ShardJob): Promise<Warmed>;
  /** Resolves to the shard's receipt. Rejects with EngineFailure for an answer, with EngineDeath for a death. */
  process(job: ShardJob, options: ProcessOptions): Promise<unknown>;
  /** Works through some rows of a shard, by their positions, and publishes nothing. Rejects as `process` does. */
  probe(job: ShardJob, rows: readonly number[], options: ProcessOptions): Promise<void>;
  /** Has an image put away that kills every process that works on it. */
  quarantine(job: ShardJob, crash: { readonly row: number; readonly death: string }): Promise<void>;
  /** Lets the shards in hand end, then the process. With `force`, kills it: its shards reject. */
  close(options?: { readonly force?: boolean }): Promise<void>;
}

const LONGEST_RESTART_DELAY_MS = 30_000;
/** How the kernel ends a process when the machine or its container runs out of memory. */
const OUT_OF_MEMORY_DEATH = 'ended by SIGKILL';
/** A process that died so often without one answer is broken here, whatever the shard. */
const GIVE_UP_DEATHS = 5;

interface Answer<Value> {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
  readonly reject: (error: Error) => void;
}

interface ShardInHand extends Answer<unknown> {
  readonly message: WorkMessage;
  readonly onProgress: ProcessOptions['onProgress'];
}

/** Opens without starting: the process starts with the first `warm` or `process`, and again after a death. */
export function openEngineClient(options: EngineClientOptions): EngineClient {
  const { logger, restartDelayMs = 1000, stallMs = 600_000 } = options;
  const shards = new Map<string, ShardInHand>();
  const warmings: Answer<Warmed>[] = [];
  const calls = new Set<Promise<unknown>>();
  const closing = new AbortController();
  let engine: EngineProcess | undefined;
  let starting: Promise<EngineProcess> | undefined;
  let deathsInARow = 0;
  let lastDeath = '';
  /** Deaths from outside, most likely for the memory: the batch is halved for each. */
  let halvings = 0;
  /** Whether any process of this client ever answered for a shard. */
  let answered = false;
  let ending = false;
  /** Resolves when the shards in hand of a process that has grown too large are done: the next one goes to another. */
  let replacing: Promise<void> | undefined;
  /** Processes that were told to end and have not yet. */
  const leaving = new Set<EngineProcess>();
  const watch = createStallWatch(stallMs, ({ seconds }) => {
    engine?.kill(`made no progress for ${seconds} s (LAYERTAP_STALL_TIMEOUT) and was killed`);
  });

  function start(): Promise<EngineProcess> {
    starting ??= (async (): Promise<EngineProcess> => {
      // The first restart is free: one poisonous image is likelier than a broken installation.
      if (deathsInARow > 1) {
        const delayMs = Math.min(restartDelayMs * 2 ** (deathsInARow - 2), LONGEST_RESTART_DELAY_MS);
        await sleep(delayMs, undefined, { signal: closing.signal });
      }
      closing.signal.throwIfAborted();
      const args = halvings === 0 ? options.args : [...(options.args ?? []), String(halvings)];
      const started: EngineProcess = forkEngine(
        { ...options, ...(args && { args }) },
        { onMessage, onDeath: how => (leaving.delete(started) ? undefined : onDeath(how)) },
      );
      engine = started;
      return started;
    })();
    // A start given up by close() leaves nothing to wait for.
    starting.catch(() => undefined);
    return starting;
  }

  function onMessage(message: EngineMessage): void {
    switch (message.type) {
      case 'ready':
        return;
      case 'warmed':
        warmings.shift()?.resolve(warmedOf(message));
        return;
      case 'warm-failed':
        warmings.shift()?.reject(new Error(message.error));
        return;
      case 'begun':
        watch.begin(message.batch);
        return;
      case 'progress':
        watch.goOn();
        shards.get(jobIdOf(message))?.onProgress?.(message);
        return;
      case 'done':
        deathsInARow = 0;
        answered = true;
        takeShard(message.key)?.resolve(message.receipt);
        if (isTooLarge(message.residentBytes)) beginReplacing(message.residentBytes);
        return;
      case 'failed':
        deathsInARow = 0;
        answered = true;
        takeShard(message.key)?.reject(new EngineFailure(message.kind, message.message));
        return;
      case 'log':
        if (message.once && options.told?.has(message.message)) return;
        if (message.once) options.told?.add(message.message);
        logger.log(message.level, message.message, message.fields);
    }
  }

  function isTooLarge(bytes: number | undefined): bytes is number {
    return options.maxResidentBytes !== undefined && bytes !== undefined && bytes > options.maxResidentBytes;
  }

  function beginReplacing(bytes: number): void {
    if (replacing !== undefined) return;
    const replaced = replace(bytes).finally(() => {
      replacing = undefined;
    });
    replacing = replaced;
  }

  /** What a native library keeps, for ever larger pictures or by a leak, goes back to the system with its process. */
  async function replace(bytes: number): Promise<void> {
    logger.log(
      'info',
      `an engine process holds ${formatBytes(bytes)}: another one takes its place after the shards in hand`,
    );
    while (shards.size > 0) await Promise.allSettled([...shards.values()].map(({ promise }) => promise));
    if (engine === undefined) return;
    leaving.add(engine);
    engine.send({ type: 'close' });
    engine = undefined;
    starting = undefined;
  }

  function takeShard(key: string): ShardInHand | undefined {
    watch.end();
    const shard = shards.get(key);
    shards.delete(key);
    return shard;
  }

  function onDeath(how: string): void {
    watch.end();
    engine = undefined;
    starting = undefined;
    deathsInARow += 1;
    lastDeath = how;
    const inHand = [...shards.values()].map(({ message }) => message);
    const probing = inHand.some(({ type }) => type === 'probe');
    const error = new EngineDeath(how, whileWorkingOn(inHand));
    if (!ending) logger.log(probing ? 'info' : 'warn', error.message);
    // A probe is there to find out what kills: it may well be the image.
    if (!ending && !probing && how === OUT_OF_MEMORY_DEATH) {
      halvings += 1;
      logger.log('warn', `it may have been the memory: the next process takes half as many images at a time`);
    }
    for (const answer of [...warmings.splice(0), ...shards.values()]) answer.reject(error);
    shards.clear();
  }

  async function ask(message: WorkMessage, options: Omit<ProcessOptions, 'attempt'>): Promise<unknown> {
    const { signal, onProgress } = options;
    if (!answered && deathsInARow >= GIVE_UP_DEATHS) {
      const message = `the engine process does not come up on this machine: it ${lastDeath}, ${deathsInARow} times in a row`;
      throw new EngineFailure('declined', message);
    }
    const { key } = message;
    // Taken again after its lock was lost, while the process still winds up the try before.
    while (shards.has(key)) await shards.get(key)?.promise.catch(() => undefined);
    while (replacing !== undefined) await replacing;
    const process = await start();
    signal.throwIfAborted();
    const answer = createAnswer<unknown>();
    shards.set(key, { ...answer, message, onProgress });
    const abort = (): void => process.send({ type: 'abort', key });
    signal.addEventListener('abort', abort, { once: true });
    process.send(message);
    return answer.promise.finally(() => signal.removeEventListener('abort', abort));
  }

  /** What `close` waits for. */
  function noted<Value>(call: Promise<Value>): Promise<Value> {
    calls.add(call);
    return call.finally(() => calls.delete(call));
  }

  return {
    async warm(job): Promise<Warmed> {
      const process = await start();
      const answer = createAnswer<Warmed>();
      warmings.push(answer);
      process.send({ type: 'warm', job });
      return answer.promise;
    },

    process(job, { attempt, ...rest }): Promise<unknown> {
      return noted(ask({ type: 'shard', key: jobIdOf(job), job, attempt }, rest));
    },

    async probe(job, rows, { attempt, ...rest }): Promise<void> {
      closing.signal.throwIfAborted();
      await noted(ask({ type: 'probe', key: jobIdOf(job), job, attempt, rows }, rest));
    },

    async quarantine(job, { row, death }): Promise<void> {
      closing.signal.throwIfAborted();
      const { signal } = new AbortController();
      await noted(ask({ type: 'quarantine', key: jobIdOf(job), job, row, death }, { signal }));
      // It was the image, not the memory of this machine.
      halvings = 0;
    },

    async close({ force = false } = {}): Promise<void> {
      closing.abort(new Error('the worker is closing'));
      if (!force) await Promise.allSettled(calls);
      ending = true;
      if (engine !== undefined && !force) engine.send({ type: 'close' });
      const left = [...leaving, ...(engine === undefined ? [] : [engine])];
      if (force) for (const process of left) process.kill();
      await Promise.all(left.map(({ ended }) => ended));
    },
  };
}

function createAnswer<Value>(): Answer<Value> {
  let settle: Pick<Answer<Value>, 'resolve' | 'reject'> | undefined;
  const promise = new Promise<Value>((resolve, reject) => {
    settle = { resolve, reject };
  });
  if (settle === undefined) throw new Error('a promise runs its executor at once');
  return { promise, ...settle };
}

function warmedOf({ fingerprint, seconds, loads, residentBytes }: WarmedMessage): Warmed {
  return { fingerprint, seconds, loads, residentBytes };
}

function whileWorkingOn(shards: readonly WorkMessage[]): string {
  const [first] = shards;
  if (first === undefined) return '';
  if (first.type === 'probe') {
    const { rows, job } = first;
    return ` while probing ${rows.length} ${rows.length === 1 ? 'image' : 'images'} of shard ${job.shard}`;
  }
  const numbers = shards.map(({ job }) => job.shard).sort((a, b) => a - b);
  return ` while working on shard${numbers.length === 1 ? '' : 's'} ${numbers.join(', ')}`;
}
